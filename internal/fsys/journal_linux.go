// Which file systems have one journal for all, and the flush that leaves the journal alone.

package fsys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// SyncData implements File.
func (f *file) SyncData() error {
	return f.do("flush the content of", func(fd int) error {
		err := unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WAIT_BEFORE|
			unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
		if err == unix.ENOSYS {
			return errors.ErrUnsupported
		}
		return err
	})
}

// OneJournal implements FS: it is so on ext4 in its usual setting. What the kernel says
// of its file systems and journals tells others apart: those without a journal, or with
// an option that weakens it or has not been tried; where the kernel says nothing, as in
// some containers, the answer is no.
func (s system) OneJournal(name string) bool {
	if kind, err := s.Type(name); err != nil || kind != "ext4" {
		return false
	}
	var st unix.Stat_t
	if err := s.onDir(name, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return false
	}
	number := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	link, err := os.Readlink("/sys/dev/block/" + number)
	if err != nil {
		return false
	}
	device := filepath.Base(link)
	// All options, also those that the file system has by default, one a line.
	options, err := os.ReadFile("/proc/fs/ext4/" + device + "/options")
	if err != nil || !trustedJournal(string(options)) {
		return false
	}
	// Not all kernels name the feature fast_commit among the options, but they count.
	counts, err := os.ReadFile("/proc/fs/ext4/" + device + "/fc_info")
	if err == nil && hasFastCommits(string(counts)) {
		return false
	}
	// A journal's name ends with the number of its inode.
	journals, err := filepath.Glob("/proc/fs/jbd2/" + device + "-[0-9]*")
	return err == nil && len(journals) > 0
}

// trustedJournal reports whether the options of an ext4 are those under which its
// journal was tried.
func trustedJournal(options string) bool {
	set := map[string]bool{}
	for option := range strings.Lines(options) {
		set[strings.TrimSpace(option)] = true
	}
	// Fc_debug_force is how the kernel names the feature fast_commit here.
	return set["data=ordered"] && set["barrier"] && !set["journal_async_commit"] &&
		!set["fc_debug_force"] && !set["fast_commit"] && !set["norecovery"]
}

// hasFastCommits reports whether a file system has made fast commits, or had reason not
// to, by what the kernel has counted.
func hasFastCommits(counts string) bool {
	for line := range strings.Lines(counts) {
		var n int
		var what string
		_, err := fmt.Sscan(line, &n, &what)
		if err == nil && n > 0 && (what == "commits" || what == "ineligible") {
			return true
		}
	}
	return false
}
