package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// have checks what a file has.
func have(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s has %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

// putText writes a file.
func putText(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listOf returns the names in the directory of a document.
func listOf(t *testing.T, path string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

// everyKeeper runs a test with handles that keep, by what is different on their systems.
func everyKeeper(t *testing.T, do func(t *testing.T, open func(path string) *Doc)) {
	for _, durability := range []Durability{Durable, Ordered, Volatile} {
		for name, opts := range map[string]Options{"hash": {}, "mtime": {Versions: VersionMtime},
			"locking": {Locking: true}, "guard": {GuardForeign: true}} {
			for _, refuses := range []string{"", "exchange", "trylock"} {
				if refuses != "" && name != "hash" {
					continue
				}
				opts.Durability, opts.KeepLast = durability, true
				t.Run(fmt.Sprintf("%v, %s, without %s", durability, name, refuses),
					func(t *testing.T) {
						do(t, func(path string) *Doc {
							return openFaulty(t, path, opts, func(op, name string) error {
								if op == "trylock" && name == path || op == "exchange" {
									if op == refuses {
										return errors.ErrUnsupported
									}
								}
								return nil
							})
						})
					})
			}
		}
	}
}

// TestKeepLast: the version before is there, and it is the file that it was.
func TestKeepLast(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	everyKeeper(t, func(t *testing.T, open func(path string) *Doc) {
		path := filepath.Join(t.TempDir(), "doc.json")
		kept := names.Kept(path)
		doc := open(path)
		step := func(err error, want string) {
			t.Helper()
			if errors.Is(err, ErrUnsupported) && doc.opts.GuardForeign {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if want == "" {
				if _, err := os.Lstat(kept); !errors.Is(err, ErrNotExist) {
					t.Errorf("there is something kept: %v", err)
				}
				return
			}
			have(t, kept, want)
		}
		_, err := doc.Create(ctx, []byte("1"))
		step(err, "")
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(path)
		_, err = doc.Update(ctx, increment)
		step(err, "1")
		if after, err := os.Lstat(kept); err != nil || !os.SameFile(before, after) ||
			after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("kept is %v, %v; it was %v", after, err, before)
		}
		_, err = doc.Update(ctx, increment)
		step(err, "2")
		_, err = doc.Update(ctx, func(old []byte) ([]byte, error) { return old, nil })
		step(err, "2")
		_, version, err := doc.Read(ctx)
		if err == nil {
			_, err = doc.CompareAndSwap(ctx, version, []byte("[]"))
		}
		step(err, "3")
		step(doc.Delete(ctx), "[]")
		if _, err := os.Lstat(path); !errors.Is(err, ErrNotExist) {
			t.Errorf("the document: %v", err)
		}
		_, err = doc.Create(ctx, []byte("4"))
		step(err, "[]")
		_, version, err = doc.Read(ctx)
		if err == nil {
			err = doc.CompareAndDelete(ctx, version)
		}
		step(err, "4")
		if got := doc.Stats().Unkept; got != 0 {
			t.Errorf("%d were not kept", got)
		}
		want := []string{filepath.Base(kept), filepath.Base(names.Lock(path))}
		if got := listOf(t, path); !slices.Equal(got, want) {
			t.Errorf("there are %q, want %q", got, want)
		}
	})
}

// TestKeepsNothingBroken: a document that is not valid is not kept in the place of one that
// is.
func TestKeepsNothingBroken(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	for name, write := range map[string]func(doc *Doc) error{
		"swap": func(doc *Doc) error {
			_, version, _ := doc.Read(ctx)
			_, err := doc.CompareAndSwap(ctx, version, []byte("2"))
			return err
		},
		"delete": func(doc *Doc) error { return doc.Delete(ctx) },
		"delete at a version": func(doc *Doc) error {
			_, version, _ := doc.Read(ctx)
			return doc.CompareAndDelete(ctx, version)
		},
		"create if empty": func(doc *Doc) error {
			putText(t, doc.Name(), " ")
			_, err := doc.CreateIfEmpty(ctx, []byte("2"))
			return err
		},
	} {
		everyKeeper(t, func(t *testing.T, open func(path string) *Doc) {
			path := filepath.Join(t.TempDir(), "doc.json")
			putText(t, path, `{"torn`)
			putText(t, names.Kept(path), "1")
			err := write(open(path))
			if errors.Is(err, ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			have(t, names.Kept(path), "1")
		})
	}
}

// TestKeptHasTheDocumentsFile: after a power cut the document may have the kept name too.
// Then it has only that, once another version is in its place.
func TestKeptHasTheDocumentsFile(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	everyKeeper(t, func(t *testing.T, open func(path string) *Doc) {
		for _, deletes := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "doc.json")
			putText(t, path, "1")
			if err := os.Link(path, names.Kept(path)); err != nil {
				t.Fatal(err)
			}
			doc, err := open(path), error(nil)
			if deletes {
				err = doc.Delete(ctx)
			} else {
				_, err = doc.Update(ctx, become("2"))
			}
			if errors.Is(err, ErrUnsupported) {
				t.Skip(err)
			}
			if _, statErr := os.Lstat(path); err != nil || (statErr != nil) != deletes {
				t.Errorf("deletes %v: %v, %v", deletes, err, statErr)
			}
			have(t, names.Kept(path), "1")
			if got := listOf(t, path); len(got) > 3 {
				t.Errorf("there are %q", got)
			}
			r, err := doc.Recover(ctx, &RecoverOptions{From: "kept"})
			if err != nil || r.Taken == nil {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
	// Nor is the document recovered from itself.
	path := filepath.Join(t.TempDir(), "doc.json")
	putText(t, path, "1")
	if err := os.Link(path, names.Kept(path)); err != nil {
		t.Fatal(err)
	}
	putText(t, path, "[1") // into the file, which changes both
	r, err := open(t, path, Options{}).Recover(ctx, nil)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), "the document itself") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestKeepCalls: how many calls of the system it takes to keep; none without the option.
func TestKeepCalls(t *testing.T) {
	needsSlashes(t)
	ctx := context.Background()
	calls := func(kind string, opts Options, do func(doc *Doc) error) (list []string) {
		w := simfs.New()
		w.Kind = kind
		w.Put(simulated, "1")
		w.Put(simulatedKept, "0")
		faulty := &simfs.Faulty{Inject: func(op, name string) simfs.Fault {
			list = append(list, op+" "+filepath.Base(name))
			return simfs.Fault{}
		}}
		err := w.Sequentially("writer", func(files fsys.FS) error {
			faulty.FS = files
			doc, err := openSimulated(faulty, opts)
			if err != nil {
				return err
			}
			defer doc.Close()
			list = nil
			return do(doc)
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	update := func(doc *Doc) error { _, err := doc.Update(ctx, increment); return err }
	remove := func(doc *Doc) error { return doc.Delete(ctx) }
	for _, c := range []struct {
		name, kind string
		opts       Options
		do         func(doc *Doc) error
		more       int
	}{
		{"durable", "ext4", Options{FlushOrder: JournalOrder}, update, 4},
		{"durable, portable", "xfs", Options{}, update, 4},
		{"volatile", "ext4", Options{Durability: Volatile}, update, 2},
		{"guard", "ext4", Options{GuardForeign: true}, update, 3},
		{"a deletion", "ext4", Options{}, remove, 1},
	} {
		if os.Geteuid() != 0 {
			c.more++ // the simulated files are root's, so that the directory is looked at
		}
		without := calls(c.kind, c.opts, c.do)
		c.opts.KeepLast = true
		with := calls(c.kind, c.opts, c.do)
		if strings.Contains(fmt.Sprint(without), ".kept") {
			t.Errorf("%s: without the option %q", c.name, without)
		}
		if got := len(with) - len(without); got != c.more {
			t.Errorf("%s: %d more calls, want %d: %q, without %q", c.name, got, c.more, with,
				without)
		}
	}
}

// TestTransactionKeeps: the versions that a transaction replaces or deletes are kept.
func TestTransactionKeeps(t *testing.T) {
	needsPaths(t)
	ctx := context.Background()
	for _, durability := range []Durability{Durable, Ordered, Volatile} {
		for _, opts := range []Options{{}, {GuardForeign: true}, {FlushOrder: PortableOrder}} {
			opts.Durability, opts.KeepLast = durability, true
			dir := t.TempDir()
			var docs []*Doc
			for _, name := range []string{"a.json", "b.json", "c.json"} {
				putText(t, filepath.Join(dir, name), "1")
				docs = append(docs, open(t, filepath.Join(dir, name), opts))
			}
			err := Transact(ctx, func(tx *Tx) error {
				_, _, err := tx.Read(docs[2])
				return errors.Join(err, tx.Update(docs[0], increment), tx.Delete(docs[1]))
			})
			if errors.Is(err, ErrUnsupported) {
				continue // no transactions here, or no guards
			}
			if err != nil {
				t.Fatal(err)
			}
			have(t, docs[0].name, "2")
			have(t, names.Kept(docs[0].name), "1")
			have(t, names.Kept(docs[1].name), "1")
			if got := listOf(t, docs[0].name); len(got) != 7 { // of c no version is kept
				t.Errorf("%v, guard %v: there are %q", durability, opts.GuardForeign, got)
			}
		}
	}
}

// TestKeepsWhatWasRead: a program without the lock replaces the document in the moment
// before our rename. That version, which nobody has read, is not kept.
func TestKeepsWhatWasRead(t *testing.T) {
	needsPaths(t)
	needsExchange(t)
	ctx := context.Background()
	for _, durability := range []Durability{Durable, Volatile} {
		path := filepath.Join(t.TempDir(), "doc.json")
		putText(t, path, "1")
		putText(t, names.Kept(path), "0")
		happened := false
		doc := openFaulty(t, path, Options{Durability: durability, KeepLast: true},
			func(op, name string) error {
				if op == "exchange" && name == path && !happened {
					happened = true
					putText(t, path+".new", "[torn")
					return os.Rename(path+".new", path)
				}
				return nil
			})
		if _, err := doc.Update(ctx, become("2")); err != nil || !happened {
			t.Error(happened, err)
		}
		have(t, path, "2")
		have(t, names.Kept(path), "0")
		if got := listOf(t, path); len(got) != 3 {
			t.Errorf("there are %q", got)
		}
	}
}
