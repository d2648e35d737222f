// Updates that change nothing: what they are told rests on what is there to stay.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// takenBack is a guarded writer that tries once, a foreign program, and one that keeps
// what it finds. What that one is told to have kept may not be what the guard has taken
// back.
type takenBack struct {
	scenario
	keeper Options
}

func (s takenBack) setup(w *simfs.World) (check func() error) {
	s.prepare(w)
	quiet := w.Quiet
	w.Quiet = func(op, name string) bool {
		return bytes.HasPrefix([]byte(name), []byte(foreignTemp)) || quiet(op, name)
	}
	ctx := context.Background()
	written := false
	var kept []byte
	s.opened(w, "a", s.writers[0], func(doc *Doc) error {
		_, err := doc.Update(ctx, appendName("a"))
		if written = err == nil; errors.Is(err, ErrConflict) {
			return nil
		}
		return err
	})
	s.opened(w, "keeper", s.keeper, func(doc *Doc) error {
		var saw []byte
		_, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
			saw = bytes.Clone(old)
			return old, nil
		})
		if err == nil {
			kept = saw
		}
		return err
	})
	w.Go("foreign", foreignWriter("foreign"))
	return func() error {
		if bytes.Contains(kept, []byte(`"a"`)) && !written {
			return fmt.Errorf("%s was kept, and was taken back", kept)
		}
		return nil
	}
}

// keepers adds the simulations of those who keep.
func keepers(all map[string]simulation) {
	for mode, keeper := range simulatedModes {
		guard := Options{Durability: Volatile, GuardForeign: true, Retry: Retry{MaxTries: 1}}
		s := takenBack{scenario{writers: []Options{guard}, start: `["x"]`}, keeper}
		all["keep: what a guard takes back, "+mode] = simulation{setup: s.setup}
	}
}

// counted returns a document on a simulated file system, and the operations on that so
// far, whose faults it injects.
func counted(
	t *testing.T, opts Options, do func(doc *Doc, ops func() []string),
	inject func(op string) simfs.Fault,
) {
	t.Helper()
	w := simfs.New()
	w.Quiet = func(string, string) bool { return true }
	w.Put(simulated, `["x"]`)
	err := w.Sequentially("writer", func(files fsys.FS) error {
		var all []string
		faulty := &simfs.Faulty{FS: files, Inject: func(op, _ string) simfs.Fault {
			all = append(all, op)
			return inject(op)
		}}
		doc, err := openSimulated(faulty, opts)
		if err != nil {
			return err
		}
		defer doc.Close()
		do(doc, func() []string {
			ops := all
			all = nil
			return ops
		})
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func noFault(string) simfs.Fault { return simfs.Fault{} }

// TestKeepIsFlushed: a durable update that changes nothing flushes what is there, also
// what another handle has just flushed; an ordered one flushes the content, a volatile
// one nothing.
func TestKeepIsFlushed(t *testing.T) {
	needsSlashes(t)
	keep := func(old []byte) ([]byte, error) { return old, nil }
	for _, opts := range []Options{{}, {Locking: true}, {Versions: VersionMtime},
		{FlushOrder: JournalOrder}, {Durability: Ordered}, {Durability: Volatile}} {
		name := fmt.Sprintf("%v %v %v %v", opts.Durability, opts.FlushOrder, opts.Versions,
			opts.Locking)
		t.Run(name, func(t *testing.T) {
			counted(t, opts, func(doc *Doc, ops func() []string) {
				ops()
				if _, err := doc.Update(context.Background(), keep); err != nil {
					t.Error(err)
				}
				done := ops()
				durable := opts.Durability == Durable
				dirs := durable && opts.FlushOrder != JournalOrder
				content := opts.Durability != Volatile // an ordered one must not be torn
				if slices.Contains(done, "sync") != content ||
					slices.Contains(done, "syncdir") != dirs {
					t.Errorf("it did %q", done)
				}
				if !slices.Contains(done, "open lock") {
					t.Errorf("it did without the lock: %q", done)
				}
			}, noFault)
		})
	}
}

// TestNotDurableIsMadeAgain: after a flush that went wrong, the same update through the
// same handle publishes the same bytes again: another flush would succeed without having
// done anything.
func TestNotDurableIsMadeAgain(t *testing.T) {
	needsSlashes(t)
	for _, order := range []FlushOrder{PortableOrder, JournalOrder} {
		t.Run(order.String(), func(t *testing.T) {
			ctx := context.Background()
			failing := ""
			inject := func(op string) simfs.Fault {
				if op == failing {
					failing = ""
					return simfs.Fault{Err: syscall.EIO}
				}
				return simfs.Fault{}
			}
			counted(t, Options{FlushOrder: order}, func(doc *Doc, ops func() []string) {
				failing = map[FlushOrder]string{PortableOrder: "syncdir",
					JournalOrder: "sync"}[order]
				if _, err := doc.Update(ctx, become("[2]")); !errors.Is(err, ErrNotDurable) {
					t.Fatalf("%v, want ErrNotDurable", err)
				}
				for i, publishes := range []bool{true, false} {
					ops()
					if _, err := doc.Update(ctx, become("[2]")); err != nil {
						t.Error(err)
					}
					if done := ops(); slices.Contains(done, "rename") != publishes {
						t.Errorf("update %d after that did %q", i+1, done)
					}
				}
			}, inject)
		})
	}
}

// TestKeepOfWhatIsKnown: a handle that knows a file to be durable does not flush it
// again, but does when it is another file, or another program has written to it.
func TestKeepOfWhatIsKnown(t *testing.T) {
	info := fsys.Info{Dev: 1, Ino: 2, Size: 3, Mtime: 4, Ctime: 5}
	var f flushed
	if f.knows("doc", info, false) {
		t.Error("it knows what nobody has flushed")
	}
	f.add("doc", info, false)
	if !f.knows("doc", info, false) || f.knows("doc", info, true) {
		t.Error("it takes the name for flushed")
	}
	f.add("doc", info, true)
	if !f.knows("doc", info, true) || f.knows("other", info, false) {
		t.Error("it does not know what was flushed")
	}
	for _, change := range []func(*fsys.Info){
		func(i *fsys.Info) { i.Dev++ }, func(i *fsys.Info) { i.Ino++ },
		func(i *fsys.Info) { i.Size++ },
		func(i *fsys.Info) { i.Mtime++ }, func(i *fsys.Info) { i.Ctime++ },
	} {
		now := info
		if change(&now); f.knows("doc", now, false) {
			t.Errorf("%+v is taken for %+v", now, info)
		}
	}
	f.note("doc", errors.New("went wrong"))
	if f.knows("doc", info, false) || !f.doubts("doc") {
		t.Error("it believes what a flush went wrong of")
	}
	if f.note("doc", nil); f.doubts("doc") {
		t.Error("it doubts what was published since")
	}
}

// TestHeldWhileAnotherProgramWrites: who holds the lock for an update that changes nothing
// may have another program change the document meanwhile.
func TestHeldWhileAnotherProgramWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	doc, err := OpenFile(path, &Options{Locking: true})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	runs := 0
	for i := range 2 { // absent, and there
		_, err = doc.Update(context.Background(), func(old []byte) ([]byte, error) {
			runs++
			return old, os.WriteFile(path, []byte(fmt.Sprint(i)), 0o600)
		})
		if err != nil || runs != i+1 {
			t.Errorf("%v, %d runs", err, runs)
		}
	}
}

// TestKeepOfAnotherFile: while it looked, a program has put the same content in the place
// of what was read. That file is flushed, not the one that is gone.
func TestKeepOfAnotherFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	a := doc.drv.files.attempt(doc.key, VersionHash)
	defer a.Close()
	ctx := context.Background()
	if _, _, err = a.Read(ctx); err == nil {
		err = os.WriteFile(path+".new", []byte("1"), 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		_, err = a.TryLock(ctx)
	}
	if err == nil {
		err = a.Confirm(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	opened := a.current.info
	if a.current.file != nil {
		opened, err = a.current.file.Stat()
	}
	named, namedErr := a.d.files.Lstat(a.path)
	if err != nil || namedErr != nil || !opened.SameFile(named) {
		t.Errorf("%+v is open, %+v is there: %v, %v", opened, named, err, namedErr)
	}
	if err := a.Settle(); err != nil {
		t.Error(err)
	}
}

// TestParentsAreFlushed: the maker of a directory may have died before its name was
// durable. So the first update of a handle flushes the directories above, too.
func TestParentsAreFlushed(t *testing.T) {
	root := t.TempDir()
	other, err := Open(root, nil)
	if err == nil {
		_, err = other.Doc("users/more/a").Create(context.Background(), []byte("1"))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	files, err := fsys.Beneath(root)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	faulty := &simfs.Faulty{FS: files, Inject: func(op, name string) simfs.Fault {
		if op == "syncdir" {
			dirs = append(dirs, filepath.ToSlash(name))
		}
		return simfs.Fault{}
	}}
	db, err := openFiles(faulty, "", ".", &Options{FlushOrder: PortableOrder})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, want := range [][]string{{"users/more", "users", "."}, {"users/more"}} {
		dirs = nil
		_, err := db.Doc("users/more/a").Update(context.Background(), become(fmt.Sprint(i+2)))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(dirs, want) {
			t.Errorf("update %d flushed %q, want %q", i+1, dirs, want)
		}
	}
}
