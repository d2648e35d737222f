//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// beneath is a process's file system beneath the simulated directory.
type beneath struct{ *simfs.Process }

func (b beneath) at(name string) string { return filepath.Join("/dir", name) }

func (b beneath) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	return b.Process.Open(b.at(name), how, perm)
}

func (b beneath) Rename(from, to string, how fsys.RenameHow) error {
	return b.Process.Rename(b.at(from), b.at(to), how)
}

func (b beneath) Lstat(name string) (fsys.Info, error) { return b.Process.Lstat(b.at(name)) }

func (b beneath) Readlink(name string) (string, error) { return b.Process.Readlink(b.at(name)) }

func (b beneath) Remove(name string) error { return b.Process.Remove(b.at(name)) }

func (b beneath) ReadDir(name string) ([]fsys.Entry, error) {
	return b.Process.ReadDir(b.at(name))
}

func (b beneath) OpenDir(name string) (fsys.Dir, error) { return b.Process.OpenDir(b.at(name)) }

// openDirectory opens the simulated directory in one process.
func (s txScenario) openDirectory(files fsys.FS, opts Options) (*DB, error) {
	db, err := openFiles(beneath{files.(*simfs.Process)}, "", ".", &opts)
	if err == nil {
		db.drv.files.shared.locks.bound = -1
	}
	return db, err
}

// viewed is what a view has seen in its last run: the names in the documents that exist.
type viewed map[rune][]string

// inView runs a view of documents in this order or, with lists, of those that are listed,
// in that order or, if order begins with b, the other way.
func (s txScenario) inView(
	ctx context.Context, files fsys.FS, order string, lists bool, saw viewed,
) error {
	opts := s.opts
	opts.Retry.MaxTries = max(s.tries, 1) // what it has seen in earlier ones multiplies the states
	db, err := s.openDirectory(files, opts)
	if err != nil {
		return err
	}
	return db.View(ctx, func(tx *Tx) error {
		clear(saw)
		keys := strings.Split(order, "")
		if lists {
			var err error
			if keys, err = tx.Keys(""); err != nil {
				return err
			}
			if order[0] == 'b' {
				slices.Reverse(keys)
			}
		}
		for _, key := range keys {
			data, _, err := tx.Read(tx.Doc(key))
			if errors.Is(err, ErrNotExist) && !lists {
				continue
			}
			if err != nil {
				return err
			}
			if saw[rune(key[0])], err = namesIn(data); err != nil {
				return err
			}
		}
		return nil
	})
}

// viewDirectory adds the processes that view the directory, or refuse its documents.
func (s txScenario) viewDirectory(w *simfs.World, h *txHistory) {
	for i, order := range append(slices.Clone(s.listings), s.ending...) {
		lists := i < len(s.listings)
		w.Go(fmt.Sprintf("directory%d", i), func(files fsys.FS) error {
			ctx := &endingContext{Context: context.Background(), process: files.(*simfs.Process)}
			if !lists {
				stop := ctx.process.Alarm("its context ends",
					func() { ctx.process.Sync(); ctx.ended = true })
				defer stop()
			}
			saw := viewed{}
			err := s.inView(ctx, files, order, lists, saw)
			if ctx.ended && errors.Is(err, context.Canceled) || errors.Is(err, ErrConflict) {
				return nil
			}
			if err == nil && s.deletes() {
				if !slices.Equal(saw['a'], saw['b']) {
					err = errors.New("half of a creation or deletion")
				}
			} else if err == nil {
				err = errors.Join(h.together(saw, order, false), h.ordered(saw))
			}
			if err != nil {
				return fmt.Errorf("a view of %v: %w", saw, err)
			}
			return nil
		})
	}
	for i, order := range s.refusers {
		w.Go(fmt.Sprintf("refuser%d", i), func(files fsys.FS) error {
			return s.refuse(files, h, order)
		})
	}
}

// refuse reads documents one after the other by updates that refuse them.
func (s txScenario) refuse(files fsys.FS, h *txHistory, order string) error {
	docs, err := s.open(files, order, s.opts)
	if err != nil {
		return err
	}
	refusal := errors.New("refused")
	found := map[rune][]string{}
	for _, letter := range order {
		_, err := docs[letter].Update(context.Background(), func(old []byte) (_ []byte, err error) {
			if found[letter], err = namesIn(old); err != nil {
				return nil, err
			}
			return nil, refusal
		})
		if !errors.Is(err, refusal) {
			return fmt.Errorf("a refusal became %w", err)
		}
	}
	if err := h.together(found, order, true); err != nil {
		return fmt.Errorf("refused in the order %s: %w", order, err)
	}
	return nil
}

// silent is the file system of a process whose looks nobody else influences: they happen
// together with what it does next.
type silent struct {
	*simfs.Process
	looks *bool // that it looks now
}

func (s silent) look() (end func()) {
	*s.looks = true
	return func() { *s.looks = false }
}

func (s silent) Open(name string, how fsys.How, perm fs.FileMode) (fsys.File, error) {
	defer s.look()()
	return s.Process.Open(name, how, perm)
}

func (s silent) Lstat(name string) (fsys.Info, error) {
	defer s.look()()
	return s.Process.Lstat(name)
}

func (s silent) Readlink(name string) (string, error) {
	defer s.look()()
	return s.Process.Readlink(name)
}

// flips is a process that moves a document between two names, in one transaction each
// time, while a view looks. After n moves it has the content n, and so has c.
type flips struct {
	times int
	order string // in which the view reads
	lists bool   // it lists first
	bare  bool   // there are no lock files at first
	tries int    // of the view; 0: one
}

// is reports whether documents are what they are after n moves: "-" is an absent one.
func (f flips) is(saw map[rune]string, n int) bool {
	for letter, content := range saw {
		want := fmt.Sprint(n)
		if letter != 'c' && letter != 'a'+rune(n%2) {
			want = "-"
		}
		if content != want && (content != "listed" || want == "-") {
			return false
		}
	}
	return true
}

func (f flips) setup(w *simfs.World) (check func() error) {
	s := txScenario{listings: []string{"ab"}, bare: f.bare}
	looks := false
	w.Quiet = func(op, name string) bool {
		return looks && !strings.HasSuffix(name, ".lock") || op == "trylock" && f.tries == 0 ||
			s.quiet(op, name)
	}
	letters := "ab"
	if strings.Contains(f.order, "c") {
		letters = "abc"
		w.Put(simulatedDoc('c'), "0")
	}
	if !f.bare {
		for _, letter := range letters {
			w.Put(names.Lock(simulatedDoc(letter)), marked(markIntents))
		}
	}
	w.Put(simulatedDoc('a'), "0")
	ctx := context.Background()
	w.Go("flipper", func(files fsys.FS) error {
		docs, err := s.open(silent{files.(*simfs.Process), &looks}, letters, Options{})
		if err != nil {
			return err
		}
		for n := range f.times {
			from, to := docs['a'+rune(n%2)], docs['b'-rune(n%2)]
			if err := Transact(ctx, func(tx *Tx) error {
				err := errors.Join(tx.Delete(from), tx.Create(to, fmt.Append(nil, n+1)))
				if letters == "abc" {
					err = errors.Join(err, tx.Write(docs['c'], fmt.Append(nil, n+1)))
				}
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	w.Go("view", func(files fsys.FS) error {
		db, err := s.openDirectory(files, Options{Retry: Retry{MaxTries: max(f.tries, 1)}})
		if err != nil {
			return err
		}
		saw := map[rune]string{}
		err = db.View(ctx, func(tx *Tx) error {
			clear(saw)
			if f.lists {
				keys, err := tx.Keys("")
				if err != nil {
					return err
				}
				saw['a'], saw['b'] = "-", "-"
				for _, key := range keys {
					saw[rune(key[0])] = "listed"
				}
				delete(saw, 'c')
			}
			for _, letter := range f.order {
				content, err := all(tx, tx.Doc(string(letter)))
				if err != nil {
					return err
				}
				if listed, ok := saw[letter]; ok && (listed == "-") != (content == "-") {
					content = "not as listed"
				}
				saw[letter] = content
			}
			return nil
		})
		if errors.Is(err, ErrConflict) {
			return nil
		}
		if err != nil {
			return err
		}
		for n := range f.times + 1 {
			if f.is(saw, n) {
				return nil
			}
		}
		return fmt.Errorf("a view saw %v, which never was", saw)
	})
	return func() error { return nil }
}

// viewSimulations adds those of views, and of refusals, beside transactions.
func viewSimulations(all map[string]simulation) {
	one := []txPlan{{name: "T", docs: "ab"}}
	deletes := []txPlan{{name: "T", docs: "ab"}, {name: "D", docs: "ab", delete: true}}
	for _, row := range []struct {
		size, name string
		txScenario
	}{
		{"small", "one and a listing", txScenario{plans: one, listings: []string{"ab"}}},
		{"small", "one and a listing, the other way", txScenario{plans: one, listings: []string{"ba"}}},
		{"small", "one that creates and a listing", txScenario{plans: one, listings: []string{"ab"}, absent: true}},
		{"small", "one that creates, bare, and a listing", txScenario{plans: one, listings: []string{"ba"}, absent: true, bare: true}},
		{"small", "one that deletes and a listing", txScenario{plans: deletes[1:], listings: []string{"ab"}}},
		{"middle", "one, its death and a listing", txScenario{plans: one, listings: []string{"ab"}, deaths: 1}},
		{"middle", "one that creates, its death and a listing", txScenario{plans: one, listings: []string{"ab"}, absent: true, deaths: 1}},
		{"middle", "one that deletes, its death and a listing", txScenario{plans: deletes[1:], listings: []string{"ab"}, deaths: 1}},
		{"small", "one and a view that ends", txScenario{plans: one, ending: []string{"ab"}}},
		{"small", "one and a view that ends, the other way", txScenario{plans: one, ending: []string{"ba"}}},
		{"small", "one that creates and a view that ends", txScenario{plans: one, ending: []string{"ab"}, absent: true}},
		{"small", "one, its death and a view that ends", txScenario{plans: one, ending: []string{"ab"}, deaths: 1}},
		{"small", "one that creates, bare, and a view", txScenario{plans: one, ending: []string{"ab"}, absent: true, bare: true}},
		{"small", "one and a refuser", txScenario{plans: one, refusers: []string{"ab"}}},
		{"small", "one and a refuser, the other way", txScenario{plans: one, refusers: []string{"ba"}}},
		{"middle", "one that creates and a refuser", txScenario{plans: one, refusers: []string{"ba"}, absent: true}},
		{"middle", "one, its death and a refuser", txScenario{plans: one, refusers: []string{"ba"}, deaths: 1}},
	} {
		for mode, opts := range simulatedModes {
			size, s := row.size, row.txScenario
			switch {
			case mode == "mtime":
				size = "large"
			case size == "small" && mode != "hash":
				size = "middle"
			}
			s.opts = opts
			name := "view: " + row.name + ", " + mode
			all[name] = simulation{s.deaths, s.setup, size == "large", size == "middle"}
		}
	}
	for name, f := range flipping {
		all["view: flips: "+name] = simulation{setup: f.setup,
			large:  f.times > 2 || f.tries > 1 || f.lists && f.order == "c",
			middle: len(f.order) > 2 || f.lists}
	}
}

var flipping = map[string]flips{
	"two":                             {times: 2, order: "ab"},
	"two, with their locks":           {times: 2, order: "ab", tries: 2},
	"two, thrice":                     {times: 3, order: "ab"},
	"two, bare":                       {times: 3, order: "ab", bare: true},
	"one, and one that changes":       {times: 2, order: "ac"},
	"the other, and one that changes": {times: 2, order: "bc"},
	"three":                           {times: 2, order: "abc"},
	"three, the other way":            {times: 2, order: "cba"},
	"a listing":                       {times: 2, lists: true},
	"a listing, thrice":               {times: 3, lists: true},
	"a listing of two":                {times: 2, order: "ab", lists: true},
	"a listing, one that changes":     {times: 2, order: "c", lists: true},
	"a listing, one that may be it":   {times: 2, order: "b", lists: true},
	"a listing of three, bare":        {times: 2, order: "cba", lists: true, bare: true},
}

// sampledViews are of more states than can be explored.
func sampledViews(all map[string]simulation) {
	one := []txPlan{{name: "T", docs: "ab"}}
	two := []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ab"}}
	deletes := []txPlan{{name: "T", docs: "ab"}, {name: "D", docs: "ab", delete: true}}
	for name, s := range map[string]txScenario{
		"one, its death, that of a recoverer and a view":    {plans: one, writers: "b", ending: []string{"ab"}, deaths: 2},
		"one, its death, that of a recoverer and a listing": {plans: one, writers: "b", listings: []string{"ab"}, deaths: 2},
		"one that creates, one that deletes and a listing":  {plans: deletes, listings: []string{"ab"}, absent: true},
		"two and a listing": {plans: two, listings: []string{"ab"}},
		"two and a refuser": {plans: two, refusers: []string{"ab"}},
	} {
		s.tries = 4 // the last one takes the locks
		all["view: "+name] = simulation{deaths: s.deaths, setup: s.setup}
	}
}
