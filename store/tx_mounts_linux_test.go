package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bindMount makes what is at from appear at to as well.
func bindMount(t *testing.T, from, to string) {
	t.Helper()
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("a bind mount needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(to, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// TestMountedMember: at another mount point of its directory, where the home's cannot be reached,
// a document is neither read nor written, and the transaction stays as it is.
func TestMountedMember(t *testing.T) {
	dir := realTempDir(t)
	home, member := deadTransaction(t, dir, "q", "p")
	at := filepath.Join(dir, "mnt", "deep", "p")
	mustDo(t, os.MkdirAll(at, 0o700))
	bindMount(t, filepath.Dir(member), at)
	refusesElsewhere(t, open(t, filepath.Join(at, "b.json"), Options{}))
	for _, path := range []string{home, member} {
		if got := reads(t, open(t, path, Options{})); got != "7" {
			t.Errorf("%s is %s", path, got)
		}
	}
}

// TestMountedTwice: one document under two names.
func TestMountedTwice(t *testing.T) {
	dir := realTempDir(t)
	mustDo(t, os.Mkdir(filepath.Join(dir, "p"), 0o700), os.Mkdir(filepath.Join(dir, "q"), 0o700))
	bindMount(t, filepath.Join(dir, "p"), filepath.Join(dir, "q"))
	putFile(t, filepath.Join(dir, "p", "a.json"), []byte("1"))
	var docs []*Doc
	for _, name := range []string{"p", "q"} {
		docs = append(docs, open(t, filepath.Join(dir, name, "a.json"), Options{}))
	}
	if err := incrementBoth(docs[0], docs[1]); !errors.Is(err, errOneLock) {
		t.Error(err)
	}
	if got := reads(t, docs[0]); got != "1" {
		t.Errorf("it is %s", got)
	}
	wantNoLitter(t, dir)
}

// TestMountedTree: at another mount point of all of its directories a transaction is finished.
func TestMountedTree(t *testing.T) {
	dir := realTempDir(t)
	deadTransaction(t, filepath.Join(dir, "tree"), "q", "p")
	at := filepath.Join(dir, "mnt")
	mustDo(t, os.Mkdir(at, 0o700))
	bindMount(t, filepath.Join(dir, "tree"), at)
	doc := open(t, filepath.Join(at, "p", "b.json"), Options{})
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"mnt/q/h.json", "tree/q/h.json"} {
		if got, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(got) != "7" {
			t.Errorf("%s is %s, %v", path, got, err)
		}
	}
	wantNoLitter(t, dir)
}

// TestTransactMountPoint: a document that cannot be replaced is found before the commit.
func TestTransactMountPoint(t *testing.T) {
	for _, beneath := range []bool{false, true} {
		dir := realTempDir(t)
		a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
		putFile(t, a, []byte("1"))
		putFile(t, b, []byte("1"))
		bindMount(t, b, b)
		first, second := open(t, a, Options{}), open(t, b, Options{})
		if beneath {
			db, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			first, second = db.Doc("a"), db.Doc("b")
		}
		err := Transact(context.Background(), func(tx *Tx) error {
			return errors.Join(tx.Update(first, increment), tx.Update(second, increment))
		})
		if err == nil || !strings.Contains(err.Error(), "mount point") {
			t.Errorf("%v", err)
		}
		for _, doc := range []*Doc{first, second} {
			if got := reads(t, doc); got != "1" {
				t.Errorf("%s is %s", doc.name, got)
			}
		}
		if _, err := first.Update(context.Background(), increment); err != nil {
			t.Error(err)
		}
		wantNoLitter(t, dir)
	}
}

// TestTransactOverlay: the first change of a file of the lower layer copies it. One that has two
// names there gets another inode number by that.
func TestTransactOverlay(t *testing.T) {
	dir := realTempDir(t)
	lower, upper, merged := filepath.Join(dir, "lower"), filepath.Join(dir, "upper"),
		filepath.Join(dir, "merged")
	mustDo(t, os.Mkdir(lower, 0o700), os.Mkdir(upper, 0o700), os.Mkdir(merged, 0o700))
	if err := unix.Mount("tmpfs", upper, "tmpfs", 0, ""); err != nil {
		t.Skipf("a mount needs root: %v", err)
	}
	t.Cleanup(func() { mustDo(t, unix.Unmount(upper, unix.MNT_DETACH)) })
	mustDo(t, os.Mkdir(filepath.Join(upper, "files"), 0o700),
		os.Mkdir(filepath.Join(upper, "work"), 0o700))
	for _, name := range []string{"a", "b"} {
		putFile(t, filepath.Join(lower, name+".json"), []byte("1"))
		mustDo(t, os.Link(filepath.Join(lower, name+".json"), filepath.Join(lower, name)))
	}
	err := unix.Mount("overlay", merged, "overlay", 0, "lowerdir="+lower+",upperdir="+
		filepath.Join(upper, "files")+",workdir="+filepath.Join(upper, "work"))
	if err != nil {
		t.Skipf("mount an overlay: %v", err)
	}
	t.Cleanup(func() { mustDo(t, unix.Unmount(merged, unix.MNT_DETACH)) })
	a := open(t, filepath.Join(merged, "a.json"), Options{})
	b := open(t, filepath.Join(merged, "b.json"), Options{})
	for _, want := range []string{"2", "3"} {
		if err := incrementBoth(a, b); err != nil {
			t.Fatal(err)
		}
		wantBoth(t, a, b, want)
	}
}

// TestTransactFileSystems: documents of two file systems.
func TestTransactFileSystems(t *testing.T) {
	ctx := context.Background()
	dir := realTempDir(t)
	mustDo(t, os.Mkdir(filepath.Join(dir, "m"), 0o700))
	unmount, err := mountSmall(filepath.Join(dir, "m"))
	if err != nil {
		t.Skipf("a mount needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	one := open(t, filepath.Join(dir, "a.json"), Options{})
	two := open(t, filepath.Join(dir, "m", "b.json"), Options{})
	write := func(data string) error {
		return Transact(ctx, func(tx *Tx) error {
			return errors.Join(tx.Write(one, []byte("1"+data)), tx.Write(two, []byte("2"+data)))
		})
	}
	if err := write(""); err != nil {
		t.Fatal(err)
	}
	// The small one is full in the middle.
	if err := write(strings.Repeat("0", 200<<10)); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("%v", err)
	}
	if got := reads(t, one) + reads(t, two); got != "12" {
		t.Errorf("they are %s", got)
	}
	wantNoLitter(t, dir)
}
