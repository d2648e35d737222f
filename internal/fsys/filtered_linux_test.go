package fsys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutRenameat2 runs a test on a thread whose renameat2 calls fail with an error, as
// with the filters of some containers.
func withoutRenameat2(t *testing.T, refuse unix.Errno, run func()) {
	t.Helper()
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_RENAMEAT2, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(refuse)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0,
				uintptr(unsafe.Pointer(&filter)))
			if errno != 0 {
				err = errno
			}
		}
		if err == nil {
			run()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skipf("no filter for system calls: %v", err)
	}
}

// TestRenameFiltered: where renameat2 is forbidden, a file is created, and never
// replaced.
func TestRenameFiltered(t *testing.T) {
	for _, refuse := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		dir := t.TempDir()
		write := func(name string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		files, from, to, other := New(), write("from"), filepath.Join(dir, "to"), write("other")
		var created, again, exchanged error
		withoutRenameat2(t, refuse, func() {
			created = files.Rename(from, to, NoReplace)
			again = files.Rename(other, to, NoReplace)
			exchanged = files.Rename(other, to, Exchange)
		})
		if created != nil {
			t.Errorf("%v: create: %v", refuse, created)
		}
		if !errors.Is(again, fs.ErrExist) {
			t.Errorf("%v: create what is there: %v", refuse, again)
		}
		if !errors.Is(exchanged, refuse) && !errors.Is(exchanged, errors.ErrUnsupported) {
			t.Errorf("%v: exchange: %v", refuse, exchanged)
		}
		if data, err := os.ReadFile(to); string(data) != "from" {
			t.Errorf("%v: the file is %q (%v)", refuse, data, err)
		}
		if _, err := os.Lstat(from); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: the old name: %v", refuse, err)
		}
	}
}
