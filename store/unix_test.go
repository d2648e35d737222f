//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/internal/names"
)

func TestFifo(t *testing.T) {
	doc := document(t, "", Options{})
	if err := unix.Mkfifo(doc.Name(), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := doc.Update(context.Background(), increment)
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	if info, err := os.Lstat(doc.Name()); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("it is %v (%v)", info.Mode(), err)
	}
}

// TestLockFileIsALink: nobody makes us lock or create something else.
func TestLockFileIsALink(t *testing.T) {
	doc := document(t, "1", Options{})
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.Symlink(victim, names.Lock(doc.Name())); err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Update(context.Background(), increment); err == nil ||
		!strings.Contains(err.Error(), "symbolic link") {
		t.Error(err)
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	wantFiles(t, doc, "doc.json", ".doc.json.lock")
}

// TestPermissions runs as a user who is not root, since root may do everything.
func TestPermissions(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	ctx := context.Background()
	unreadable := document(t, "1", Options{})
	if err := os.Chmod(unreadable.Name(), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := unreadable.Read(ctx); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Read: %v", err)
	}
	if _, err := unreadable.Update(ctx, increment); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Update: %v", err)
	}
	for _, opts := range []Options{{}, {Locking: true}, {Versions: VersionAuto},
		{Versions: VersionMtime}} {
		doc := document(t, "1", Options{})
		dir := filepath.Dir(doc.Name())
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		doc = open(t, doc.Name(), opts)
		if _, err := doc.Update(ctx, increment); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Update in a read-only directory: %v", err)
		}
		if data, _, err := doc.Read(ctx); err != nil || string(data) != "1" {
			t.Errorf("Read in a read-only directory: %s, %v", data, err)
		}
		wantFiles(t, doc, "doc.json")
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A lock file that we may only read serves as well.
	doc := document(t, "1", Options{})
	if err := os.WriteFile(names.Lock(doc.Name()), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Update(ctx, increment); err != nil {
		t.Errorf("Update with a read-only lock file: %v", err)
	}
}

// asNobody runs the calling test again, in a process of another user, with more environment.
func asNobody(t *testing.T, env ...string) {
	const nobody = 65534
	dir, err := os.MkdirTemp("/tmp", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	binary, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "test"), binary, 0o755),
			os.Chmod(dir, 0o755),
			os.Mkdir(filepath.Join(dir, "tmp"), 0o700), os.Chown(filepath.Join(dir, "tmp"),
				nobody, nobody))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "test"), "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(env, "TMPDIR="+filepath.Join(dir, "tmp"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody,
		Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// TestOwnerIsKept: root's updates leave a document its owner and group.
func TestOwnerIsKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	doc := document(t, "1", Options{})
	if err := os.Chown(doc.Name(), 1234, 4321); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(doc.Name(), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(doc.Name())
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 4321 ||
		info.Mode() != 0o640 {
		t.Errorf("owner %d, group %d, mode %v", st.Uid, st.Gid, info.Mode())
	}
}

// TestFullDisk: an update for which there is no room leaves the old content and no litter.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	unmount, err := mountSmall(dir)
	if err != nil {
		t.Skipf("needs root on Linux, to mount a small file system: %v", err)
	}
	defer func() {
		if err := unmount(); err != nil {
			t.Error(err)
		}
	}()
	for _, opts := range []Options{{}, {Durability: Volatile}, {Locking: true},
		{Versions: VersionMtime}} {
		doc, err := OpenFile(filepath.Join(dir, "doc.json"), &opts)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("[%q]", strings.Repeat("x", 30<<10))
		if _, err := doc.Update(context.Background(), become(text)); err != nil {
			t.Fatal(err)
		}
		_, err = doc.Update(context.Background(),
			become(fmt.Sprintf("[%q]", strings.Repeat("y", 300<<10))))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Update: %v", err)
		}
		if got := content(t, doc); got != text {
			t.Errorf("the document is %.20q…, %d bytes", got, len(got))
		}
		wantFiles(t, doc, "doc.json", ".doc.json.lock")
		if _, err := doc.Update(context.Background(), become("[]")); err != nil {
			t.Errorf("a small update afterwards: %v", err)
		}
		doc.Close()
	}
}
