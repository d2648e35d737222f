// Which file systems have one journal for all, and the flush that leaves the journal alone.

package fsys

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// SyncData implements File.
func (f file) SyncData() error {
	err := f.control(func(fd int) error {
		return unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
	})
	switch {
	case errors.Is(err, unix.ENOSYS):
		err = errors.ErrUnsupported
	case err == nil:
		return nil
	}
	return &os.PathError{Op: "flush the content of", Path: f.Name(), Err: err}
}

// OneJournal implements FS: it is so on ext4 as it is usually mounted. One without a journal, or with an
// option that weakens it, is told apart by what the kernel says of the mount and of its journals; where it says
// nothing, as in some containers, the answer is no.
func (s system) OneJournal(name string) bool {
	dir, err := s.openDir(name)
	if err != nil {
		return false
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return false
	}
	device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// Number, parent, device, root, mount point, options, optional fields, "-", type, source, options of the
		// file system. All mounts of one device have the latter in common.
		mount, fileSystem, found := strings.Cut(lines.Text(), " - ")
		fields, what := strings.Fields(mount), strings.Fields(fileSystem)
		if found && len(fields) > 2 && fields[2] == device && len(what) > 2 {
			return what[0] == "ext4" && !weakened(what[2]) && hasJournal(device)
		}
	}
	return false
}

// weakened reports whether mount options of ext4 take away from what its journal promises by default, or are
// others than those under which that was tried.
func weakened(options string) bool {
	return slices.ContainsFunc(strings.Split(options, ","), func(option string) bool {
		switch option {
		case "data=writeback", "data=journal", "nobarrier", "barrier=0", "journal_async_commit", "noload", "norecovery":
			return true
		}
		return false
	})
}

// hasJournal reports whether the kernel keeps a journal for a device.
func hasJournal(device string) bool {
	link, err := os.Readlink("/sys/dev/block/" + device)
	if err != nil {
		return false
	}
	// The journal has the number of its inode after the name of the device.
	found, err := filepath.Glob("/proc/fs/jbd2/" + filepath.Base(link) + "-[0-9]*")
	return err == nil && len(found) > 0
}
