//go:build unix

// Lock files, as people write them.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often they look again.
const poll = time.Millisecond

// retry tries to get a lock until that succeeds or the time is over.
func retry(patience time.Duration, try func() (bool, error)) error {
	for end := time.Now().Add(patience); ; time.Sleep(poll) {
		if got, err := try(); got || err != nil {
			return err
		}
		if time.Now().After(end) {
			return errLate
		}
	}
}

// exclusive makes a file that must not exist, with a content.
func exclusive(path, content string) (made bool, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(content)
	return true, errors.Join(err, f.Close())
}

// removeOwn removes a file if its content still is that of the holder.
func removeOwn(path, content string) {
	if data, err := os.ReadFile(path); err == nil && string(data) == content {
		_ = os.Remove(path)
	}
}

// note writes a line to a log, as lock files do when they find something stale.
func note(dir, line string) {
	path := filepath.Join(dir, "locks.log")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		fmt.Fprintln(f, time.Now().Format(time.RFC3339), line)
		f.Close()
	}
}

// fileLock is FileLock: who makes the file has the lock, and removes the file afterwards.
func fileLock(dir string) (func(time.Duration, func() error) error, error) {
	path := filepath.Join(dir, "document.lock")
	return func(patience time.Duration, work func() error) error {
		if err := retry(patience, func() (bool, error) {
			return exclusive(path, strconv.Itoa(os.Getpid()))
		}); err != nil {
			return err
		}
		defer os.Remove(path)
		return work()
	}, nil
}

// robustFileLock is RobustFileLock: the file has the holder's PID. If there is no such process,
// the file is stale: a waiter removes it, and makes its own.
func robustFileLock(dir string) (func(time.Duration, func() error) error, error) {
	path := filepath.Join(dir, "document.lock")
	me := strconv.Itoa(os.Getpid())
	return func(patience time.Duration, work func() error) error {
		if err := retry(patience, func() (bool, error) {
			got, err := exclusive(path, me)
			if got || err != nil {
				return got, err
			}
			data, _ := os.ReadFile(path)
			pid, err := strconv.Atoi(string(data))
			if err != nil || unix.Kill(pid, 0) != unix.ESRCH {
				return false, nil
			}
			note(dir, "remove the stale lock of "+string(data))
			_ = os.Remove(path)
			return exclusive(path, me)
		}); err != nil {
			return err
		}
		defer removeOwn(path, me)
		return work()
	}, nil
}

// fcntlLock is fcntl with timeout: it tries the POSIX lock of a file until the time is over.
func fcntlLock(dir string) (func(time.Duration, func() error) error, error) {
	path := filepath.Join(dir, "document.lock")
	return func(patience time.Duration, work func() error) error {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		defer f.Close() // frees the lock
		whole := unix.Flock_t{Type: unix.F_WRLCK}
		if err := retry(patience, func() (bool, error) {
			err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &whole)
			if err == unix.EAGAIN || err == unix.EACCES {
				return false, nil
			}
			return err == nil, err
		}); err != nil {
			return err
		}
		return work()
	}, nil
}

// ttl is the time to live of lock files and leases.
const ttl = 500 * time.Millisecond

// lockInfo is the content of the lock file of a virtual file system.
type lockInfo struct {
	Owner    string            `json:"owner"`
	Expires  time.Time         `json:"expires"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// vfsLock is a VFS lockfile: the file has an owner, an expiry and metadata. A waiter that finds it
// expired asks OnStale, removes it, and makes its own. Release removes the file if it still has
// the holder's name.
type vfsLock struct {
	path    string
	owner   string
	onStale func(lockInfo) bool
}

func newVFSLock(dir string) vfsLock {
	return vfsLock{path: filepath.Join(dir, "document.lock"),
		owner: fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano()),
		onStale: func(info lockInfo) bool {
			note(dir, "steal the lock of "+info.Owner)
			return true
		}}
}

func (l vfsLock) read() (info lockInfo, err error) {
	err = readJSON(l.path, &info)
	return info, err
}

func (l vfsLock) acquire(patience time.Duration) error {
	return retry(patience, func() (bool, error) {
		content, err := json.Marshal(lockInfo{Owner: l.owner, Expires: time.Now().Add(ttl),
			Metadata: map[string]string{"pid": strconv.Itoa(os.Getpid())}})
		if err != nil {
			return false, err
		}
		got, err := exclusive(l.path, string(content))
		if got || err != nil {
			return got, err
		}
		info, err := l.read()
		if err != nil || time.Now().Before(info.Expires) || !l.onStale(info) {
			return false, nil
		}
		_ = os.Remove(l.path)
		return exclusive(l.path, string(content))
	})
}

func (l vfsLock) release() {
	if info, err := l.read(); err == nil && info.Owner == l.owner {
		_ = os.Remove(l.path)
	}
}

func (l vfsLock) withLock(patience time.Duration, work func() error) error {
	if err := l.acquire(patience); err != nil {
		return err
	}
	defer l.release()
	return work()
}

func vfsLocks(dir string) (func(time.Duration, func() error) error, error) {
	return newVFSLock(dir).withLock, nil
}

// stealingLock is a journal lock with steal: who writes the journal has the lock file, and touches
// it now and then. It is stale when it has not been touched for the TTL. Then a waiter moves it
// away, so that only one can, and makes its own.
type stealingLock struct{ path string }

func (l stealingLock) withLock(patience time.Duration, work func() error) error {
	me := strconv.Itoa(os.Getpid())
	if err := retry(patience, func() (bool, error) {
		got, err := exclusive(l.path, me)
		if got || err != nil {
			return got, err
		}
		info, err := os.Stat(l.path)
		if err != nil || time.Since(info.ModTime()) < ttl {
			return false, nil
		}
		note(filepath.Dir(l.path), "steal the lock")
		if os.Rename(l.path, l.path+".stale."+me) != nil {
			return false, nil // somebody was faster
		}
		return exclusive(l.path, me)
	}); err != nil {
		return err
	}
	defer removeOwn(l.path, me)
	ended := make(chan struct{})
	defer close(ended)
	go l.touch(ended)
	return work()
}

// touch is the heartbeat.
func (l stealingLock) touch(ended <-chan struct{}) {
	beat := time.NewTicker(ttl / 4)
	defer beat.Stop()
	for {
		select {
		case <-ended:
			return
		case now := <-beat.C:
			_ = os.Chtimes(l.path, now, now)
		}
	}
}

func stealingLocks(dir string) (func(time.Duration, func() error) error, error) {
	return stealingLock{filepath.Join(dir, "journal.lock")}.withLock, nil
}
