// Detects file systems with one journal for all changes, and flushes without a journal
// commit.

package fsys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// BeginSync implements File. The flush that follows reports errors.
func (f *file) BeginSync() {
	_ = unix.SyncFileRange(f.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}

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

// OneJournal implements FS. It is true for ext4 in its usual configuration. The
// kernel's files about file systems and journals exclude others: those without a
// journal, or with an option that weakens it or is untested. If these files are
// unavailable, as in some containers, the answer is no.
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
	// All options, including the defaults, one a line.
	options, err := os.ReadFile("/proc/fs/ext4/" + device + "/options")
	if err != nil || !trustedJournal(string(options)) {
		return false
	}
	// Not all kernels list the feature fast_commit among the options, but all count
	// fast commits.
	counts, err := os.ReadFile("/proc/fs/ext4/" + device + "/fc_info")
	if err == nil && hasFastCommits(string(counts)) {
		return false
	}
	// A journal's name ends with the number of its inode.
	journals, err := filepath.Glob("/proc/fs/jbd2/" + device + "-[0-9]*")
	return err == nil && len(journals) > 0
}

// trustedJournal reports whether an ext4 has only options under which its journal was
// tested.
func trustedJournal(options string) bool {
	set := map[string]bool{}
	for option := range strings.Lines(options) {
		set[strings.TrimSpace(option)] = true
	}
	// The kernel lists the feature fast_commit as fc_debug_force here.
	return set["data=ordered"] && set["barrier"] && !set["journal_async_commit"] &&
		!set["fc_debug_force"] && !set["fast_commit"] && !set["norecovery"]
}

// hasFastCommits reports whether a file system has tried fast commits, by the kernel's
// counters.
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
