// Operations of foreign programs that only Linux and few other systems have.

package proptest

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const canExchange = true

// exchange exchanges two names.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// withFlock runs do like "flock .NAME.lock".
func withFlock(file string, do func() error) error {
	name := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".lock")
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	for {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return err
	}
	return do()
}
