// The holder of a lock, from the kernel's list.

package fsys

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LockOwner reads /proc/locks, which names no process of another PID namespace.
func (s system) LockOwner(locked Info) (pid int, command string, ok bool) {
	list, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, "", false
	}
	if pid, ok = ownerIn(string(list), locked, hasOpen); !ok {
		return 0, "", false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return pid, "", true
	}
	return pid, strings.TrimSuffix(string(name), "\n"), true
}

// ownerIn finds the holder of a file's flock in a list such as /proc/locks:
//
//	1: FLOCK  ADVISORY  WRITE 4711 08:01:262155 0 EOF
//
// Waiters are marked with an arrow. Open reports whether a process has the file open; known is
// false where this user may not see that. Some file systems, such as btrfs, have another
// device number there than in stat: then the process must be seen to have the file open.
func ownerIn(
	list string, locked Info, open func(pid int, file Info) (is, known bool),
) (pid int, ok bool) {
	device := fmt.Sprintf("%02x:%02x", unix.Major(locked.Dev), unix.Minor(locked.Dev))
	inode := strconv.FormatUint(locked.Ino, 10)
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" {
			continue
		}
		at := strings.LastIndexByte(fields[5], ':')
		if at < 0 || fields[5][at+1:] != inode {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		if err != nil || pid <= 0 {
			continue
		}
		// The process that took the lock may have left it to another one, and be gone.
		if is, known := open(pid, locked); is || !known && fields[5][:at] == device {
			return pid, true
		}
	}
	return 0, false
}

// hasOpen reports whether a process has a file open; known is false where this user may not
// see that.
func hasOpen(pid int, file Info) (is, known bool) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		var st unix.Stat_t
		if unix.Stat(filepath.Join(dir, entry.Name()), &st) == nil && infoOf(&st).SameFile(file) {
			return true, true
		}
	}
	return false, !os.IsPermission(err)
}
