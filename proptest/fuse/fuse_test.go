//go:build linux

package fuse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/jsonstore/jsonstore/store"
)

// mounted mounts a directory a second time, by FUSE.
func mounted(t *testing.T, dir string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount: run it as root")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("there is no FUSE here: %v", err)
	}
	at := t.TempDir()
	root, err := fs.NewLoopbackRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	options := &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, FsName: dir, Name: "loopback",
	}}
	server, err := fs.Mount(at, root, options)
	if err != nil {
		t.Skipf("FUSE cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return at
}

// TestRefused: the store refuses the mount unless the options allow it, and doctor reports it.
func TestRefused(t *testing.T) {
	at := mounted(t, t.TempDir())
	path := filepath.Join(at, "doc.json")
	doc, err := store.OpenFile(path, nil)
	if err == nil {
		doc.Close()
	}
	if !errors.Is(err, store.ErrUnsupported) || !strings.Contains(err.Error(), "fuse.loopback") {
		t.Errorf("a file: %v", err)
	}
	db, err := store.Open(at, nil)
	if err == nil {
		db.Close()
	}
	if !errors.Is(err, store.ErrUnsupported) {
		t.Errorf("a directory: %v", err)
	}
	doc, err = store.OpenFile(path, &store.Options{AllowNetwork: true})
	if err == nil {
		_, err = doc.Create(context.Background(), []byte("1"))
		doc.Close()
	}
	if err != nil {
		t.Errorf("allowed: %v", err)
	}

	program := filepath.Join(t.TempDir(), "jsonstore")
	build := exec.Command("go", "build", "-o", program, "./cmd/jsonstore")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program, "doctor", at).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!strings.Contains(string(out), "fuse.loopback") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// TestTwoMountsLoseUpdates shows why the store refuses it: with the options that allow it,
// acknowledged updates get lost sooner or later.
func TestTwoMountsLoseUpdates(t *testing.T) {
	dir := t.TempDir()
	mounts := []string{mounted(t, dir), mounted(t, dir)}
	for end := time.Now().Add(time.Minute); ; {
		acknowledged, found := count(t, dir, mounts)
		t.Logf("%d updates acknowledged, %d found", acknowledged, found)
		if found < acknowledged {
			return
		}
		if time.Now().After(end) {
			t.Fatal("nothing was lost: these locks exclude, and need not be refused")
		}
	}
}

// count increments one document through both mounts at once.
func count(t *testing.T, dir string, mounts []string) (acknowledged, found int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "n.json"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	const each = 50
	opts := &store.Options{AllowNetwork: true, Durability: store.Volatile}
	counts := make(chan int, len(mounts))
	for _, at := range mounts {
		doc, err := store.OpenFile(filepath.Join(at, "n.json"), opts)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer doc.Close()
			n := 0
			for range each {
				if _, err := doc.Update(context.Background(), increment); err == nil {
					n++
				}
			}
			counts <- n
		}()
	}
	for range mounts {
		acknowledged += <-counts
	}
	data, err := os.ReadFile(filepath.Join(dir, "n.json"))
	if err == nil {
		_, err = fmt.Sscan(string(data), &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	return acknowledged, found
}

func increment(old []byte) ([]byte, error) {
	var n int
	_, err := fmt.Sscan(string(old), &n)
	return fmt.Append(nil, n+1), err
}
