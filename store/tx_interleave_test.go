//go:build !windows

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// Transactions in every order of their operations. Each document is an array, to which each
// transaction appends its name, in all that it writes; single writers append theirs to one. So
// what is published must be what it takes the place of and one name more, and whoever reads
// several documents must find the names of transactions in all of them, or in none.

// txPlan is what one transaction does.
type txPlan struct {
	name   string
	docs   string // a letter for each document that it appends its name to, in this order
	reads  string // others that it reads
	delete bool   // it deletes the documents instead
	ends   bool   // its context ends at any moment
	retry  Retry
}

// txScenario is some transactions, and others beside them.
type txScenario struct {
	opts    Options
	plans   []txPlan
	writers string   // documents that single writers append to, one each
	readers []string // documents that a reader reads one after the other
	again   bool     // the readers have read all of it before, long after it was written
	views   []string // documents that a view reads
	sweeper string   // documents that a sweeper sweeps, one after the other
	absent  bool     // nothing is there at the start
	old     bool     // what is there was written long ago
	fresh   bool     // the lock files say that there was never an intent
	bare    bool     // there are no lock files

	listings []string // orders of documents that a view of the directory lists and reads
	ending   []string // likewise, without listing; its context ends at any moment
	refusers []string // documents that updates refuse, one after the other
	tries    int      // of each of these views; 0: one
	clock    bool     // time goes by meanwhile
	deaths   int
	bound    int             // tries of a bounded wait; 0: it waits for ever
	crossed  map[string]bool // transactions that take their locks in another order
	apart    bool            // documents other than a are in another directory
	closed   bool            // files have to be closed
	ext4     bool            // the file system is ext4, where volatile versions are exchanged
	files    bool            // the intents of members are files
	plants   string          // documents beside which a stranger plants, in a sticky directory
	history  bool            // that of all documents is on

	snapshots []int // how often each of the snapshots of the directory is tried
	chains    bool  // one writer updates a, and then b
}

func simulatedDoc(letter rune) string { return "/dir/" + string(letter) + ".json" }

// doc is the path of the document with a letter.
func (s txScenario) doc(letter rune) string {
	if s.apart && letter != 'a' {
		return otherDir + "/" + string(letter) + ".json"
	}
	return simulatedDoc(letter)
}

// otherDir is the second directory.
const otherDir = "/dir/other"

func (s txScenario) quiet(op, name string) bool {
	base := filepath.Base(name)
	switch {
	case strings.HasPrefix(op, "sync"), strings.Contains(base, ".snapshot"):
		return true
	case strings.HasSuffix(name, ".gate"): // nobody shares a lock, so that none is there
		return true
	case strings.HasSuffix(base, ".lock"):
		return op != "trylock" && !s.bare // between two locks others may come
	case op == "readdir":
		return false
	case op == "read":
		return true // of an intent that grows: of it no more is read than its size was
	case op == "write":
		// Part of an intent means no more than none. Others see it where somebody dies.
		return s.deaths == 0 && len(s.views) > 0
	case name == otherDir:
		return true // it stays
	case names.IsHistorySwitch(name): // nobody switches it
		return true
	case strings.HasSuffix(base, ".tmp"):
		// Only a sweep, or one who finds an intent, looks at other processes' files. Who looks
		// at a name opens what it finds, which is noticed.
		return op == "lstat" || s.sweeper == "" && op != "open" && op != "remove"
	case op == "lstat" && strings.HasSuffix(base, ".json"):
		// Who has the lock might as well have looked before.
		return len(s.readers)+len(s.views)+len(s.listings)+len(s.ending)+len(s.refusers)+
			len(s.snapshots) == 0
	}
	return false
}

// open opens the documents with these letters in one process.
func (s txScenario) open(files fsys.FS, letters string, opts Options) (map[rune]*Doc, error) {
	docs := map[rune]*Doc{}
	for _, letter := range letters {
		path := s.doc(letter)
		db, err := openFiles(files, path, filepath.Dir(path), &opts)
		if err != nil {
			return nil, err
		}
		shared := db.drv.files.shared
		shared.locks.bound = -1
		if s.bound > 0 {
			shared.locks.bound = s.bound
		}
		if s.sweeper == "" {
			shared.rows.wait = map[string]int{path: 1 << 30}
		}
		docs[letter] = &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path, owns: true}
	}
	return docs, nil
}

// txHistory is what is known of what has happened.
type txHistory struct {
	plans        map[string]txPlan
	acknowledged map[string]bool // names
	refused      map[string]bool // that nothing was applied
	// saw is what each saw, in its last run, of what it only read.
	saw map[string]map[rune][]string
}

// serial checks that of two transactions, each of which reads what the other writes, one has seen
// the other.
func (h *txHistory) serial() error {
	missed := func(one, other string) bool {
		for letter, saw := range h.saw[one] {
			if strings.ContainsRune(h.plans[other].docs, letter) && !slices.Contains(saw, other) {
				return true
			}
		}
		return false
	}
	for one := range h.plans {
		for other := range h.plans {
			if one != other && h.acknowledged[one] && h.acknowledged[other] && missed(one,
				other) && missed(other, one) {
				return fmt.Errorf("neither %s nor %s has seen the other: %v", one, other, h.saw)
			}
		}
	}
	return nil
}

func namesIn(data []byte) (found []string, err error) {
	if data != nil {
		err = json.Unmarshal(data, &found)
	}
	return found, err
}

// together checks that of each transaction there is, in the documents, all or nothing; with
// later, the second of two documents, which was read later, may have more.
func (h *txHistory) together(docs map[rune][]string, order string, later bool) error {
	for name, plan := range h.plans {
		seen := false
		for _, letter := range order {
			if !strings.ContainsRune(plan.docs, letter) {
				continue
			}
			has := slices.Contains(docs[letter], name)
			if seen && !has || has && !seen && !later && strings.IndexRune(order,
				letter) > h.first(plan, order) {
				return fmt.Errorf("half of transaction %s: %v", name, docs)
			}
			seen = seen || has
		}
	}
	return nil
}

// first is where in order the first document of a transaction is.
func (h *txHistory) first(plan txPlan, order string) int {
	return strings.IndexFunc(order, func(r rune) bool { return strings.ContainsRune(plan.docs, r) })
}

// ordered checks that any two transactions are in the same order in all documents.
func (h *txHistory) ordered(docs map[rune][]string) error {
	for one := range h.plans {
		for other := range h.plans {
			sign := 0
			for letter := range docs {
				i, j := slices.Index(docs[letter], one), slices.Index(docs[letter], other)
				if i < 0 || j < 0 || i == j {
					continue
				}
				now := 1
				if i < j {
					now = -1
				}
				if sign != 0 && sign != now {
					return fmt.Errorf("transactions %s and %s are in different orders: %v", one,
						other, docs)
				}
				sign = now
			}
		}
	}
	return nil
}

func (s txScenario) letters() string {
	set := map[rune]bool{}
	for _, plan := range s.plans {
		for _, letter := range plan.docs + plan.reads {
			set[letter] = true
		}
	}
	if s.chains {
		set['a'], set['b'] = true, true
	}
	return string(slices.Sorted(maps.Keys(set)))
}

func (s txScenario) deletes() bool {
	return slices.ContainsFunc(s.plans, func(p txPlan) bool { return p.delete })
}

func (s txScenario) setup(w *simfs.World) (check func() error) {
	w.Quiet = s.quiet
	h := &txHistory{plans: map[string]txPlan{}, acknowledged: map[string]bool{},
		refused: map[string]bool{},
		saw:     map[string]map[rune][]string{}}
	w.Closed, w.Sticky = s.closed, s.plants != ""
	if s.ext4 {
		w.Kind = "ext4"
	}
	w.NoLinks = s.files
	if s.apart {
		w.PutDir(otherDir)
	}
	for _, letter := range s.letters() {
		mark := markIntents
		if s.fresh {
			mark = markNoIntent
		}
		if !s.bare {
			w.Put(names.Lock(s.doc(letter)), marked(mark))
		}
		if !s.absent {
			w.Put(s.doc(letter), `["x"]`)
		}
	}
	if s.old {
		w.Clock += int64(10 * time.Second)
	}
	w.OnPublish = func(by *simfs.Process, name string, old, new []byte) error {
		if new == nil && s.deletes() || name == otherDir {
			return nil
		}
		before, err := namesIn(old)
		after, newErr := namesIn(new)
		if err != nil || newErr != nil || len(after) != len(before)+1 ||
			!slices.Equal(before, after[:len(before)]) || slices.Contains(before,
			after[len(before)]) {
			return fmt.Errorf("a lost update: %s put %q in the place of %q at %s", by.Name, new,
				old, name)
		}
		return nil
	}
	for _, plan := range s.plans {
		h.plans[plan.name] = plan
		s.transact(w, h, plan)
	}
	ctx := context.Background()
	for i, letter := range s.writers {
		name := fmt.Sprintf("w%d", i)
		w.Go(name, func(files fsys.FS) error {
			docs, err := s.open(files, string(letter), s.opts)
			if err != nil {
				return err
			}
			_, err = docs[letter].Update(ctx, appendName(name))
			h.acknowledged[name] = err == nil
			return err
		})
	}
	for i, order := range s.readers {
		w.Go(fmt.Sprintf("reader%d", i), func(files fsys.FS) error {
			return s.read(files, h,
				order)
		})
	}
	for i, order := range s.views {
		w.Go(fmt.Sprintf("view%d", i), func(files fsys.FS) error { return s.look(files, h, order) })
	}
	for _, letter := range s.plants {
		w.Go("stranger", func(files fsys.FS) error { return s.plant(files, letter) }).UID = stranger
	}
	s.viewDirectory(w, h)
	s.takeSnapshots(w, h)
	if s.clock {
		w.Go("clock", func(files fsys.FS) error { return files.(*simfs.Process).Tick(ofCoarseAge) })
	}
	if s.sweeper != "" {
		w.Go("sweeper", func(files fsys.FS) error {
			docs, err := s.open(files, s.sweeper, s.opts)
			if err != nil {
				return err
			}
			for _, letter := range s.sweeper {
				if _, _, err := docs[letter].Sweep(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if s.history {
		w.Put(simulatedSwitch, `{"all":{}}`)
	}
	return func() error {
		err := s.check(w, h)
		if err == nil && s.history {
			err = s.checkHistory(w)
		}
		return err
	}
}

// endingContext is one that ends when it is looked at, but for which nobody waits.
type endingContext struct {
	context.Context
	process *simfs.Process
	ended   bool
}

func (c *endingContext) Err() error {
	c.process.Sync()
	if c.ended {
		return context.Canceled
	}
	return nil
}

// transact is a process that does one transaction.
func (s txScenario) transact(w *simfs.World, h *txHistory, plan txPlan) {
	w.Go(plan.name, func(files fsys.FS) error {
		opts := s.opts
		opts.Retry = plan.retry
		docs, err := s.open(files, plan.docs+plan.reads, opts)
		if err != nil {
			return err
		}
		if s.crossed[plan.name] {
			for letter, doc := range docs {
				doc.db.orders = func(path string) string { return string('z'-letter+'a') + path }
			}
		}
		ctx := &endingContext{Context: context.Background(), process: files.(*simfs.Process)}
		if plan.ends {
			stop := ctx.process.Alarm("its context ends",
				func() { ctx.process.Sync(); ctx.ended = true })
			defer stop()
		}
		err = Transact(ctx, func(tx *Tx) error {
			saw := map[rune][]string{}
			for _, letter := range plan.reads {
				data, _, err := tx.Read(docs[letter])
				if err != nil && !errors.Is(err, ErrNotExist) {
					return err
				}
				if saw[letter], err = namesIn(data); err != nil {
					return err
				}
			}
			if h.saw != nil {
				h.saw[plan.name] = saw
			}
			for _, letter := range plan.docs {
				var err error
				if plan.delete {
					err = tx.Delete(docs[letter])
				} else {
					err = tx.Update(docs[letter], appendName(plan.name))
				}
				if errors.Is(err, ErrNotExist) {
					err = nil
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		switch {
		case err == nil:
			h.acknowledged[plan.name] = true
			return nil
		case ctx.ended, plan.retry.MaxTries > 0 && errors.Is(err, ErrConflict),
			s.plants != "" && strings.Contains(err.Error(), "in the way"):
			h.refused[plan.name] = true
			return nil
		}
		return err
	})
}

// strangersID is that of a transaction that a stranger plants.
var strangersID = strings.Repeat("5", names.TransactionDigits)

// plant makes a committed intent beside a document, which makes strange of it. In a sticky
// directory nobody may believe that.
func (s txScenario) plant(files fsys.FS, letter rune) error {
	info, err := files.Lstat(s.doc(letter))
	if err != nil {
		return err
	}
	in := intent{id: strangersID, committed: true, changes: []change{{Old: identityOf(info)}}}
	for _, name := range []string{names.Transaction(s.doc(letter), strangersID),
		names.Intent(s.doc(letter))} {
		data := []byte(strange)
		if name == names.Intent(s.doc(letter)) {
			if data, err = in.encode(); err != nil {
				return err
			}
		}
		file, err := files.Open(name, fsys.OpenNew, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = file.Write(data)
		if staged, statErr := file.Stat(); err == nil && statErr == nil {
			in.changes[0].New = identityOf(staged)
		}
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// planted reports whether a file is a stranger's.
func (s txScenario) planted(w *simfs.World, name string) bool {
	data := string(w.Content(name))
	return s.plants != "" && (data == strange || strings.Contains(data, strangersID))
}

// read reads documents one after the other.
func (s txScenario) read(files fsys.FS, h *txHistory, order string) error {
	docs, err := s.open(files, order, s.opts)
	if err != nil {
		return err
	}
	times := 1
	if s.again {
		times = 2
	}
	for range times {
		found := map[rune][]string{}
		for _, letter := range order {
			known := slices.Collect(maps.Keys(h.acknowledged))
			data, _, err := docs[letter].Read(context.Background())
			if err != nil && !errors.Is(err, ErrNotExist) {
				return err
			}
			if found[letter], err = namesIn(data); err != nil {
				return err
			}
			for _, name := range known {
				if h.acknowledged[name] && strings.ContainsRune(h.plans[name].docs, letter) &&
					!slices.Contains(found[letter], name) && !s.deletes() {
					return fmt.Errorf("%c is %v, without %s, which was acknowledged", letter,
						found[letter], name)
				}
			}
		}
		if err := h.together(found, order, true); err != nil && !s.deletes() {
			return fmt.Errorf("read in the order %s: %w", order, err)
		}
	}
	return nil
}

// look is a view.
func (s txScenario) look(files fsys.FS, h *txHistory, order string) error {
	docs, err := s.open(files, order, s.opts)
	if err != nil {
		return err
	}
	found := map[rune][]string{}
	err = View(context.Background(), func(tx *Tx) error {
		for _, letter := range order {
			data, _, err := tx.Read(docs[letter])
			if err != nil && !errors.Is(err, ErrNotExist) {
				return err
			}
			if found[letter], err = namesIn(data); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !s.deletes() {
		err = h.together(found, order, false)
	}
	if err == nil && s.deletes() && !slices.Equal(found['a'], found['b']) {
		err = fmt.Errorf("half of a deletion")
	}
	if err == nil {
		err = h.ordered(found)
	}
	if err != nil {
		return fmt.Errorf("a view of %v: %w", found, err)
	}
	return nil
}

// check is how all must be when all processes have ended.
func (s txScenario) check(w *simfs.World, h *txHistory) error {
	letters := s.letters()
	if s.deaths > 0 {
		// The next writers finish what the dead have left, and a sweep takes what is not named.
		err := w.Sequentially("next", func(files fsys.FS) error {
			docs, err := s.open(files, letters, s.opts)
			if err != nil {
				return err
			}
			for _, letter := range letters {
				keep := func(old []byte) ([]byte, error) { return old, nil }
				if _, err := docs[letter].Update(context.Background(), keep); err != nil {
					return err
				}
			}
			for _, name := range w.Names() {
				if strings.HasSuffix(name, ".tx") && !s.planted(w, name) {
					return fmt.Errorf("after the next writers there is %s", name)
				}
			}
			for _, letter := range letters {
				if _, _, err := docs[letter].Sweep(context.Background()); err != nil {
					return err
				}
			}
			return s.nextSnapshot(files, h)
		}, nil)
		if err != nil {
			return err
		}
	}
	found := map[rune][]string{}
	for _, letter := range letters {
		var err error
		if found[letter], err = namesIn(w.Content(s.doc(letter))); err != nil {
			return err
		}
	}
	for _, name := range w.Names() {
		if litter := strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".tx"); litter &&
			!s.planted(w, name) {
			return fmt.Errorf("litter: %s", name)
		}
	}
	if s.deletes() {
		if !slices.Equal(found['a'], found['b']) {
			return fmt.Errorf("half of a deletion: %v", found)
		}
		return nil
	}
	if err := h.together(found, letters, false); err != nil {
		return err
	}
	for name, acknowledged := range h.acknowledged {
		here := func(letter rune) bool { return slices.Contains(found[letter], name) }
		if acknowledged && !slices.ContainsFunc([]rune(letters), here) {
			return fmt.Errorf("%s was acknowledged, and is not there: %v", name, found)
		}
	}
	for name := range h.refused {
		for letter := range found {
			if slices.Contains(found[letter], name) {
				return fmt.Errorf("%s was told that nothing was applied, and is there: %v", name,
					found)
			}
		}
	}
	if err := h.serial(); err != nil {
		return err
	}
	return h.ordered(found)
}

// checkHistory checks the histories of the documents of transactions: of one that has all names
// that were appended, they are the versions with fewer, of one that was deleted the first.
func (s txScenario) checkHistory(w *simfs.World) error {
	for _, letter := range s.letters() {
		content := w.Content(s.doc(letter))
		want := []string{`["x"]`}
		if content != nil {
			parts, err := namesIn(content)
			if err != nil {
				return err
			}
			want = nil
			for i := 1; i < len(parts); i++ {
				version, err := json.Marshal(parts[:i])
				if err != nil {
					return err
				}
				want = append(want, string(version))
			}
		}
		var got []string
		err := w.Sequentially("lister", func(files fsys.FS) error {
			docs, err := s.open(files, string(letter), Options{})
			if err == nil {
				got, err = versionsIn(docs[letter])
			}
			return err
		}, nil)
		if err != nil {
			return err
		}
		slices.Reverse(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("%c is %q, its history %q", letter, content, got)
		}
	}
	return nil
}

// txSimulations adds those of transactions.
func txSimulations(all map[string]simulation) {
	one := []txPlan{{name: "T", docs: "ab"}}
	two := []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ab"}}
	crossing := []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ba"}}
	three := []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ba"}, {name: "V", docs: "ab"}}
	skew := []txPlan{{name: "T", docs: "a", reads: "b"}, {name: "U", docs: "b", reads: "a"}}
	deletes := []txPlan{{name: "T", docs: "ab"}, {name: "D", docs: "ab", delete: true}}
	ends := []txPlan{{name: "T", docs: "ab", ends: true}}
	shared := []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ac"}}
	chain := []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "bc"}}
	tired := []txPlan{{name: "T", docs: "ab", retry: Retry{MaxTries: 1}}, {name: "U", docs: "ab"}}
	for _, row := range []struct {
		size, name string
		txScenario
	}{
		{"small", "two", txScenario{plans: two}},
		{"small", "two, crossing", txScenario{plans: crossing}},
		{"heavy", "one and two readers", txScenario{plans: one, readers: []string{"ab", "ba"}}},
		{"heavy", "one and a view", txScenario{plans: one, views: []string{"ab"}}},
		{"small", "one and a reader, again", txScenario{plans: one, readers: []string{"ab"}, again: true, old: true}},
		{"small", "one and a reader, again, the other way", txScenario{plans: one, readers: []string{"ba"}, again: true, old: true}},
		{"heavy", "one and a reader, again, while time goes by", txScenario{plans: one, readers: []string{"ab"}, again: true, old: true, clock: true}},
		{"heavy", "one and a reader, again, the other way, while time goes by", txScenario{plans: one, readers: []string{"ba"}, again: true, old: true, clock: true}},
		{"heavy", "one that creates and two readers", txScenario{plans: one, readers: []string{"ab", "ba"}, absent: true}},
		{"small", "one that creates and a view", txScenario{plans: one, views: []string{"ab"}, absent: true}},
		{"small", "one and two writers", txScenario{plans: one, writers: "ab"}},
		{"small", "one and a death and a reader", txScenario{plans: one, readers: []string{"ab"}, deaths: 1}},
		{"small", "one and a death and a writer", txScenario{plans: one, writers: "b", deaths: 1}},
		{"small", "the first one, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, fresh: true}},
		{"small", "one and a writer, with a history", txScenario{plans: one, writers: "b", history: true}},
		{"small", "one, with a history, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, history: true}},
		{"small", "ext4: one, with a history, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, history: true, ext4: true}},
		{"small", "one that is guarded, with a history, and a death", txScenario{plans: one, deaths: 1, history: true, opts: Options{Durability: Volatile, GuardForeign: true}}},
		{"small", "one that deletes, with a history, and a death", txScenario{plans: []txPlan{{name: "D", docs: "ab", delete: true}}, deaths: 1, history: true}},
		{"small", "one and a sweeper", txScenario{plans: one, sweeper: "ab"}},
		{"heavy", "one, a death and a sweeper", txScenario{plans: one, sweeper: "ab", deaths: 1}},
		{"small", "one whose context ends and a writer", txScenario{plans: ends, writers: "b"}},
		{"small", "write skew, absent", txScenario{plans: skew, absent: true}},
		{"small", "write skew", txScenario{plans: skew}},
		{"small", "one that creates and one that deletes", txScenario{plans: deletes}},
		{"small", "one that deletes and a view", txScenario{plans: deletes[1:], views: []string{"ab"}}},
		{"large", "one that creates, one that deletes and a view", txScenario{plans: deletes, views: []string{"ab"}}},
		{"large", "one that creates, one that deletes, a view the other way", txScenario{plans: deletes, views: []string{"ba"}}},
		{"middle", "one that creates, one that deletes and a death", txScenario{plans: deletes, deaths: 1}},
		{"large", "two and a reader", txScenario{plans: two, readers: []string{"ab"}}},
		{"large", "two and a view", txScenario{plans: two, views: []string{"ab"}}},
		{"middle", "two and a death", txScenario{plans: two, deaths: 1}},
		{"middle", "two, crossing, and a death", txScenario{plans: crossing, deaths: 1}},
		{"large", "two and a writer", txScenario{plans: two, writers: "b"}},
		{"large", "one, a writer and a view", txScenario{plans: one, writers: "a", views: []string{"ab"}}},
		{"large", "one, a death and a view", txScenario{plans: one, views: []string{"ab"}, deaths: 1}},
		{"large", "one, a death, a writer and a reader", txScenario{plans: one, writers: "a", readers: []string{"ba"}, deaths: 1}},
		{"middle", "one that creates, a death and a reader", txScenario{plans: one, readers: []string{"ab"}, absent: true, deaths: 1}},
		{"large", "one and the deaths of it and of a recoverer", txScenario{plans: one, writers: "ab", deaths: 2}},
		{"large", "one, a sweeper and a reader", txScenario{plans: one, sweeper: "ba", readers: []string{"ab"}}},
		{"large", "one whose context ends and a view", txScenario{plans: ends, views: []string{"ab"}}},
		{"heavy", "one whose context ends and two writers", txScenario{plans: ends, writers: "ab"}},
		{"large", "two of three documents", txScenario{plans: chain, readers: []string{"cba"}}},
		{"middle", "two, one of which tries once", txScenario{plans: tired}},
		{"middle", "two that lock in different orders", txScenario{plans: two, crossed: map[string]bool{"U": true}, bound: 1}},
		{"large", "two with one home, a death and a reader", txScenario{plans: shared, readers: []string{"ba"}, deaths: 1}},
		{"large", "two and the deaths of both, and a writer", txScenario{plans: two, writers: "b", deaths: 2}},
		{"large", "two, a death and a view", txScenario{plans: two, views: []string{"ab"}, deaths: 1}},
		{"large", "two, a death and a reader", txScenario{plans: two, readers: []string{"ba"}, deaths: 1}},
		{"large", "two, a writer and a view", txScenario{plans: crossing, writers: "a", views: []string{"ab"}}},
		{"large", "three", txScenario{plans: three}},
		{"large", "two, a death and a sweeper", txScenario{plans: two, sweeper: "ab", deaths: 1}},
		{"small", "apart: one, a death and a reader", txScenario{plans: one, readers: []string{"ba"}, deaths: 1, apart: true}},
		{"small", "apart: one, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, apart: true}},
		{"middle", "apart: one of three, a death and a writer", txScenario{plans: []txPlan{{name: "T", docs: "abc"}}, writers: "c", deaths: 1, apart: true}},
		{"large", "apart: two, a death and a writer", txScenario{plans: two, writers: "b", deaths: 1, apart: true}},
		{"small", "closed: one, a death and a reader", txScenario{plans: one, readers: []string{"ab"}, deaths: 1, closed: true}},
		{"small", "closed: one, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, closed: true}},
		{"small", "closed: two", txScenario{plans: two, closed: true}},
		{"small", "closed: one that creates and one that deletes", txScenario{plans: deletes, closed: true}},
		{"small", "ext4: two", txScenario{plans: two, ext4: true}},
		{"small", "ext4: one, a death and a reader", txScenario{plans: one, readers: []string{"ab"}, deaths: 1, ext4: true}},
		{"small", "ext4: one, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, ext4: true}},
		{"small", "ext4: one and a sweeper", txScenario{plans: one, sweeper: "ab", ext4: true}},
		{"heavy", "ext4: one and two readers", txScenario{plans: one, readers: []string{"ab", "ba"}, ext4: true}},
		{"large", "ext4: one, a death and a sweeper", txScenario{plans: one, sweeper: "ab", deaths: 1, ext4: true}},
		{"small", "ext4: one that creates and one that deletes", txScenario{plans: deletes, ext4: true}},
		{"small", "files: two", txScenario{plans: two, files: true}},
		{"small", "files: one, a death and a reader", txScenario{plans: one, readers: []string{"ba"}, deaths: 1, files: true}},
		{"small", "files: one, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, files: true}},
		{"small", "files: one whose context ends and a writer", txScenario{plans: ends, writers: "b", files: true}},
		{"middle", "files: one, a death and a sweeper", txScenario{plans: one, sweeper: "ab", deaths: 1, files: true}},
		{"large", "files: one and two readers", txScenario{plans: one, readers: []string{"ab", "ba"}, files: true}},
		{"large", "files: one and a view", txScenario{plans: one, views: []string{"ab"}, files: true}},
		{"middle", "files: one that creates, one that deletes and a death", txScenario{plans: deletes, deaths: 1, files: true}},
		{"middle", "files: one whose context ends, a death and a writer", txScenario{plans: ends, writers: "b", deaths: 1, files: true}},
		{"small", "a stranger plants: one and a writer", txScenario{plans: one, writers: "b", plants: "b"}},
		{"middle", "a stranger plants: one, a death and a reader", txScenario{plans: one, readers: []string{"ab"}, deaths: 1, plants: "a"}},
		{"middle", "a stranger plants: one, a death and a writer", txScenario{plans: one, writers: "b", deaths: 1, plants: "b"}},
		{"middle", "one, the deaths of it and of a recoverer, a writer", txScenario{plans: one, writers: "b", deaths: 2}},
		{"large", "one, the deaths of it and of a recoverer, and a reader", txScenario{plans: one, writers: "b", readers: []string{"ba"}, deaths: 2}},
		{"small", "one whose context ends, and a death and a reader", txScenario{plans: ends, readers: []string{"ab"}, deaths: 1}},
		{"middle", "two whose contexts end", txScenario{plans: []txPlan{{name: "T", docs: "ab", ends: true}, {name: "U", docs: "ba", ends: true}}}},
		{"middle", "one whose context ends, a death and a writer", txScenario{plans: ends, writers: "b", deaths: 1}},
		{"large", "two that lock in different orders, and a death", txScenario{plans: two, crossed: map[string]bool{"U": true}, bound: 1, deaths: 1}},
	} {
		for mode, opts := range simulatedModes {
			size, s := row.size, row.txScenario
			switch {
			case mode == "mtime" && size != "large" && !s.ext4:
				size = "large"
			case size == "heavy" && mode == "hash", size == "small" && mode != "hash":
				size = "middle"
			case size == "heavy":
				size = "large"
			}
			s.opts = opts
			if s.ext4 {
				s.opts.Durability = Volatile
			}
			name := "tx: " + row.name + ", " + mode
			all[name] = simulation{s.deaths, s.setup, size == "large", size == "middle"}
		}
	}
}
