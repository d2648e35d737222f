//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// openBeneath opens the simulated directory.
func openBeneath(files fsys.FS, opts Options) (*DB, error) {
	opts.LockWait = -1
	return openFiles(files, "", ".", &opts)
}

// snapshotWorld is a directory with two documents and the snapshot "old" of them.
func snapshotWorld(t *testing.T) *simfs.World {
	t.Helper()
	w := simfs.New()
	w.Put(simulatedDoc('a'), `["a"]`)
	w.Put(simulatedDoc('b'), `["b"]`)
	err := w.Sequentially("old", func(files fsys.FS) error {
		db, err := openBeneath(beneath{files.(*simfs.Process)}, Options{})
		if err == nil {
			defer db.Close()
			_, err = db.CreateSnapshot(context.Background(), "old")
		}
		return err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// wholeSnapshots returns the names of the snapshots in a directory, each of which must be whole
// or, if it may be torn, say that it is not.
func wholeSnapshots(db *DB, mayTear bool) (found []string, err error) {
	all, err := db.Snapshots(context.Background())
	if err != nil {
		return nil, err
	}
	for _, info := range all {
		s, err := db.OpenSnapshot(info.Name)
		if err == nil {
			a, _, errA := s.Read("a")
			b, _, errB := s.Read("b")
			if err = errors.Join(errA, errB); err == nil && (string(a) != `["a"]` ||
				string(b) != `["b"]` || info.Problem != nil || info.Documents != 2) {
				return nil, fmt.Errorf("%+v has %s and %s", info, a, b)
			}
			s.Close()
		}
		if err != nil && !(mayTear && errors.Is(err, ErrInvalid)) {
			return nil, err
		}
		if err == nil {
			found = append(found, info.Name)
		}
	}
	return found, nil
}

// snapshotLitter returns the names of temporary files of snapshots.
func snapshotLitter(w *simfs.World) (left []string) {
	for _, name := range w.Names() {
		if strings.HasSuffix(name, ".tmp") {
			left = append(left, name)
		}
	}
	return left
}

// TestSnapshotPowerCuts: whenever the power is cut while a snapshot is made and another one is
// deleted, those that are there are whole, unless they are volatile; what was acknowledged as
// durable is there; and who makes the next one removes what was left.
func TestSnapshotPowerCuts(t *testing.T) {
	ctx := context.Background()
	for _, durability := range []Durability{Durable, Ordered, Volatile} {
		for _, model := range []simfs.Model{simfs.Ordered, simfs.Weak} {
			t.Run(fmt.Sprint(durability, ", ", model), func(t *testing.T) {
				w := snapshotWorld(t)
				made, deleted := false, false
				cuts, torn := 0, 0
				cut := func() error {
					return w.AfterPowerCut(model, func(found *simfs.World) error {
						cuts++
						err := found.Sequentially("after", func(files fsys.FS) error {
							db, err := openBeneath(beneath{files.(*simfs.Process)}, Options{})
							if err != nil {
								return err
							}
							defer db.Close()
							whole, err := wholeSnapshots(db, durability == Volatile)
							if err != nil {
								return err
							}
							has := func(name string) bool { return slices.Contains(whole, name) }
							durable := durability == Durable
							if durable && (made && !has("s") || deleted && has("old")) ||
								!has("old") && !made {
								return fmt.Errorf("there are %q", whole)
							}
							if found.Content("/dir/.s.snapshot") != nil && !has("s") {
								torn++
							}
							_, err = db.CreateSnapshot(ctx, "next")
							return err
						}, nil)
						if left := snapshotLitter(found); len(left) > 0 && err == nil {
							err = fmt.Errorf("left: %q", left)
						}
						return err
					})
				}
				err := w.Sequentially("maker", func(files fsys.FS) error {
					db, err := openBeneath(beneath{files.(*simfs.Process)},
						Options{Durability: durability})
					if err != nil {
						return err
					}
					defer db.Close()
					if _, err = db.CreateSnapshot(ctx, "s"); err != nil {
						return err
					}
					made = true
					if err := db.DeleteSnapshot(ctx, "old"); err != nil {
						return err
					}
					deleted = true
					return nil
				}, cut)
				if err == nil {
					err = cut()
				}
				if err != nil {
					t.Fatal(err)
				}
				if cuts < 20 || !deleted {
					t.Errorf("%d cuts", cuts)
				}
				if torn == 0 && durability == Volatile {
					t.Error("none was torn")
				}
				t.Logf("%d states after power cuts, %d with a torn snapshot", cuts, torn)
			})
		}
	}
}

// snapshotFault is one call that goes wrong while a snapshot is made or deleted.
type snapshotFault struct {
	durability Durability
	deletes    bool
	nth        int
	fault      simfs.Fault
	span       span
}

// TestSnapshotFaults: whichever call goes wrong, there is a whole snapshot, or none and the reason;
// nothing stays open, and nothing is left that the next one does not remove.
func TestSnapshotFaults(t *testing.T) {
	skipUnderRaceDetector(t)
	faults := []simfs.Fault{{Err: syscall.ENOSPC, Short: true},
		{Err: io.ErrShortWrite, Short: true},
		{Err: syscall.EIO}, {Err: syscall.EIO, After: true}, {Err: syscall.EMFILE}}
	cases := 0
	for _, durability := range []Durability{Durable, Ordered, Volatile} {
		for _, deletes := range []bool{false, true} {
			for _, fault := range faults {
				for _, span := range []span{once, thatCall, everything} {
					c := snapshotFault{durability, deletes, 1, fault, span}
					for ; c.run(t); c.nth++ {
						cases++
					}
					if c.nth < 3 {
						t.Fatalf("only %d calls were seen", c.nth-1)
					}
				}
			}
		}
	}
	t.Logf("%d faults", cases)
}

// run reports whether there was an nth call.
func (c snapshotFault) run(t *testing.T) (reached bool) {
	t.Helper()
	ctx := context.Background()
	w := snapshotWorld(t)
	calls, failed, over := 0, "", true
	var lost lookups
	faulty := &simfs.Faulty{Inject: func(op, _ string) simfs.Fault {
		if over {
			return simfs.Fault{}
		}
		calls++
		if calls < c.nth || c.span == once && calls > c.nth ||
			c.span == thatCall && failed != "" && op != failed {
			return simfs.Fault{}
		}
		if calls == c.nth {
			failed = op
		}
		lost.notes(op)
		return c.fault
	}}
	complain := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%+v, %s: %s", c, failed, fmt.Sprintf(format, args...))
	}
	err := w.Sequentially("maker", func(files fsys.FS) error {
		faulty.FS = beneath{files.(*simfs.Process)}
		db, err := openBeneath(faulty, Options{Durability: c.durability})
		if err != nil {
			return err
		}
		over = false
		if c.deletes {
			err = db.DeleteSnapshot(ctx, "old")
		} else {
			_, err = db.CreateSnapshot(ctx, "s")
		}
		over = true
		whole, readErr := wholeSnapshots(db, false)
		if readErr != nil {
			return readErr
		}
		done := slices.Contains(whole, "s")
		if c.deletes {
			done = !slices.Contains(whole, "old")
		} else if !slices.Contains(whole, "old") {
			complain("another snapshot is gone: %q", whole)
		}
		switch {
		case errors.Is(err, ErrUnknown):
			if !lost.failed {
				complain("it could be found out: %v", err)
			}
		case done != (err == nil || errors.Is(err, ErrNotDurable)):
			complain("done: %v, and the error is %v", done, err)
		case err == nil && c.durability == Durable && failed == "syncdir":
			complain("no error")
		}
		if left := snapshotLitter(w); len(left) > 0 && c.span == once && !c.fault.After &&
			failed != "remove" && failed != "lstat" {
			complain("left at once: %q", left)
		}
		db.Close()
		if n := faulty.Opened.Load(); n != 0 {
			complain("%d files are still open", n)
		}
		return nil
	}, nil)
	if err != nil {
		complain("%v", err)
	}
	err = w.Sequentially("next", func(files fsys.FS) error {
		db, err := openBeneath(beneath{files.(*simfs.Process)}, Options{})
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.CreateSnapshot(ctx, "next")
		return err
	}, nil)
	if left := snapshotLitter(w); err != nil || len(left) > 0 {
		complain("next: %v, left: %q", err, left)
	}
	for letter, want := range map[rune]string{'a': `["a"]`, 'b': `["b"]`} {
		if got := string(w.Content(simulatedDoc(letter))); got != want {
			complain("the document has become %q", got)
		}
	}
	if locks := w.Content(names.Lock(simulatedDoc('a'))); locks != nil {
		complain("it has made a lock file")
	}
	return failed != ""
}
