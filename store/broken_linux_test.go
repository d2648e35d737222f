package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// breakable is a real ext4 on a device that can be made to fail: a loop device whose file is
// on a full tmpfs, and loses its blocks.
type breakable struct {
	top, image, mount string
}

func newBreakable(t *testing.T) *breakable {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	top := t.TempDir()
	b := &breakable{top, filepath.Join(top, "image"), t.TempDir()}
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("no tmpfs can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(top, unix.MNT_DETACH) })
	err := os.WriteFile(b.image, nil, 0o600)
	if err == nil {
		err = os.Truncate(b.image, 64<<20)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-F", b.image},
		{"mount", "-o", "loop", b.image, b.mount}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%q: %v %s", command, err, out)
		}
	}
	t.Cleanup(func() { _ = unix.Unmount(b.mount, unix.MNT_DETACH) })
	return b
}

// fail makes all that is written to the device from here on an error.
func (b *breakable) fail() error {
	image, err := os.OpenFile(b.image, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer image.Close()
	err = unix.Fallocate(int(image.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0,
		64<<20)
	if err != nil {
		return err
	}
	filler, err := os.Create(filepath.Join(b.top, "filler"))
	if err != nil {
		return err
	}
	defer filler.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = filler.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}

// TestJournalFails: two documents are published, and the commit that has both fails. The
// system tells one of those whose flush waits for it. The other one is not told that all is
// well either.
func TestJournalFails(t *testing.T) {
	b := newBreakable(t)
	ctx := context.Background()
	published, failed, done := make(chan bool), make(chan bool), make(chan bool)
	var inBreak error
	flushed := false
	names := [...]string{"a", "b"}
	at := [...]func(op string){
		func(op string) { // the first to flush
			switch {
			case op == "sync":
				<-published
				inBreak, flushed = b.fail(), true
			case flushed && op == "close":
				// To free the old version is a change, by which all would learn of it.
				flushed = false
				close(failed)
				<-done
			}
		},
		func(op string) {
			if op == "sync" {
				published <- true
				<-failed
			}
		},
	}
	var told [2]error
	var docs [2]*Doc
	for i, name := range names {
		path := filepath.Join(b.mount, name+".json")
		if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
			t.Fatal(err)
		}
		docs[i] = openFaulty(t, path, Options{}, func(op, _ string) error {
			at[i](op)
			return nil
		})
	}
	if order := docs[0].drv.files.flushOrder(docs[0].name, 1); order != JournalOrder {
		t.Skipf("this ext4 is flushed in the order %v", order)
	}
	go func() {
		_, told[1] = docs[1].Update(ctx, increment)
		close(done)
	}()
	_, told[0] = docs[0].Update(ctx, increment)
	<-done
	if inBreak != nil {
		t.Fatal(inBreak)
	}
	for i, err := range told {
		if !errors.Is(err, ErrNotDurable) {
			t.Errorf("%s was told %v, want ErrNotDurable", names[i], err)
		}
	}
}
