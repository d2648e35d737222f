// The bare system calls of an update, for the cost of our code on top of them.

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

var barePeers = []peer{{
	name: "the bare system calls",
	about: "those of jsonstore for one process, in its order, without its code; " +
		"not safe beside other processes",
	loses: true,
	open: func(s setting) (handle, error) {
		files, dir := fsys.New(), filepath.Dir(s.Path)
		kind, err := files.Type(dir)
		if err != nil {
			return nil, err
		}
		b := &bare{setting: s, lock: filepath.Join(dir, ".bare.lock"),
			journal: files.OneJournal(dir), ext4: kind == "ext4"}
		b.lockFile, err = unix.Open(b.lock, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		return b, err
	},
}}

type bare struct {
	setting
	lock          string
	lockFile      int
	journal, ext4 bool
	n             int
	buffer        [4096]byte
}

func (b *bare) Update(int) error {
	var st unix.Stat_t
	var err error
	failed := func(call error) bool {
		err = call
		return err != nil
	}
	// Read.
	old, openErr := unix.Open(b.Path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if failed(openErr) {
		return err
	}
	defer unix.Close(old)
	if failed(unix.Fstat(old, &st)) {
		return err
	}
	buffer := b.buffer[:]
	if int(st.Size) >= len(buffer) {
		buffer = make([]byte, st.Size+1)
	}
	n, readErr := unix.Read(old, buffer)
	if failed(readErr) {
		return err
	}
	data, err := load.Increment(buffer[:n])
	if err != nil {
		return err
	}
	// Stage.
	b.n++
	temp := fmt.Sprintf("%s/.bare.%d.%d.tmp", filepath.Dir(b.Path), os.Getpid(), b.n)
	staged, openErr := unix.Open(temp,
		unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if failed(openErr) {
		return err
	}
	defer unix.Close(staged)
	if failed(unix.Flock(staged, unix.LOCK_EX|unix.LOCK_NB)) || failed(unix.Fstat(staged, &st)) {
		return err
	}
	if _, err := unix.Write(staged, data); err != nil {
		return err
	}
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(time.Now().UnixNano())}
	if _, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(staged), 0,
		uintptr(unsafe.Pointer(&times)), 0, 0, 0); errno != 0 {
		return errno
	}
	if failed(unix.Fstat(staged, &st)) {
		return err
	}
	// Flush.
	if b.Durability != store.Volatile {
		if failed(unix.Lstat(b.Path, &st)) {
			return err
		}
		if b.journal {
			const how = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE |
				unix.SYNC_FILE_RANGE_WAIT_AFTER
			err = unix.SyncFileRange(staged, 0, 0, how)
		} else {
			err = unix.Fsync(staged)
		}
		if err != nil {
			return err
		}
	}
	// Lock, verify, publish, unlock.
	if failed(unix.Flock(b.lockFile, unix.LOCK_EX|unix.LOCK_NB)) ||
		failed(unix.Fstat(b.lockFile, &st)) || failed(unix.Lstat(b.lock, &st)) ||
		failed(unix.Lstat(b.Path, &st)) {
		return err
	}
	if _, err := unix.Pread(old, buffer[:n], 0); err != nil {
		return err
	}
	if b.Durability == store.Volatile && b.ext4 {
		err = unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, b.Path, unix.RENAME_EXCHANGE)
	} else {
		err = unix.Rename(temp, b.Path)
	}
	if err != nil || failed(unix.Flock(b.lockFile, unix.LOCK_UN)) {
		return err
	}
	// Settle.
	switch {
	case b.Durability == store.Volatile && b.ext4:
		return unix.Unlink(temp)
	case b.Durability != store.Durable:
		return nil
	case b.journal:
		return unix.Fsync(staged)
	}
	dir, err := unix.Open(filepath.Dir(b.Path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return unix.Fsync(dir)
}

func (b *bare) Read(int) ([]byte, error) { return os.ReadFile(b.Path) }

func (b *bare) Close() error { return unix.Close(b.lockFile) }
