//go:build !windows

package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// inClosedWorld runs do where documents have to be closed before they are replaced, with handles
// on two documents of 1, and on the same for another caller.
func inClosedWorld(
	t *testing.T, opts Options, inject func(op, name string) error,
	do func(files fsys.FS, docs, others map[rune]*Doc) error,
) {
	t.Helper()
	w := simfs.New()
	w.Closed = true
	w.Quiet = func(string, string) bool { return true }
	w.Put(simulatedDoc('a'), "1")
	w.Put(simulatedDoc('b'), "1")
	opts.Retry.MaxTries = 3
	err := w.Sequentially("one", func(files fsys.FS) error {
		opened := false
		faulty := &simfs.Faulty{FS: files, Inject: func(op, name string) simfs.Fault {
			if !opened {
				return simfs.Fault{}
			}
			return simfs.Fault{Err: inject(op, name)}
		}}
		docs, err := txScenario{}.open(faulty, "ab", opts)
		if err != nil {
			return err
		}
		opened = true
		others, err := txScenario{}.open(files, "ab", Options{})
		if err != nil {
			return err
		}
		return do(files, docs, others)
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func noFaults(string, string) error { return nil }

// TestTransactClosed: where a file has to be closed after it was read, it is not absent.
func TestTransactClosed(t *testing.T) {
	ctx := context.Background()
	for _, durability := range []Durability{Durable, Volatile} {
		opts := Options{Durability: durability, Logger: slog.New(slog.DiscardHandler)}
		both := func(docs map[rune]*Doc) error {
			return Transact(ctx, func(tx *Tx) error {
				return errors.Join(tx.Update(docs['a'], increment), tx.Update(docs['b'], increment))
			})
		}
		inClosedWorld(t, opts, noFaults, func(_ fsys.FS, docs, others map[rune]*Doc) error {
			if err := both(docs); err != nil {
				return err
			}
			for _, letter := range "ab" {
				if got := reads(t, others[letter]); got != "2" {
					t.Errorf("%c is %s", letter, got)
				}
			}
			// Deleted meanwhile: the change is not made of what was read.
			runs := 0
			err := Transact(ctx, func(tx *Tx) error {
				runs++
				old, version, err := tx.Read(docs['a'])
				if runs == 1 && err == nil {
					err = others['a'].CompareAndDelete(ctx, version)
				}
				if err != nil {
					return err
				}
				return errors.Join(tx.Write(docs['a'], slices.Concat(old, []byte("0"))),
					tx.Update(docs['b'], increment))
			})
			if !errors.Is(err, ErrNotExist) || runs != 2 {
				t.Errorf("%d runs, %v", runs, err)
			}
			return nil
		})
		// A transaction dies after its commit, and another program replaces a document.
		died := false
		dies := func(op, name string) error {
			if died = died || op == "rename" && name == simulatedDoc('a'); died {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		inClosedWorld(t, opts, dies, func(files fsys.FS, docs, others map[rune]*Doc) error {
			_ = both(docs)
			file, err := files.Open("/dir/foreign", fsys.OpenNew, 0o600)
			if err != nil {
				return err
			}
			_, err = file.Write([]byte("41"))
			file.Close()
			if err != nil || !died {
				return errors.Join(err, errors.New("or it did not die"))
			}
			if err := files.Rename("/dir/foreign", simulatedDoc('b'), fsys.Replace); err != nil {
				return err
			}
			for letter, want := range map[rune]string{'a': "3", 'b': "42"} {
				if _, err := others[letter].Update(ctx, increment); err != nil {
					return err
				}
				if got := reads(t, others[letter]); got != want {
					t.Errorf("%c is %s, want %s", letter, got, want)
				}
				if _, err := files.Lstat(names.Intent(simulatedDoc(letter))); err == nil {
					t.Errorf("the intent of %c is there", letter)
				}
			}
			return nil
		})
	}
}
