package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// The store's real code on a simulated file system, in every order that its operations
// can happen in. A document is an array, to which each writer appends its name: so each
// published version must be the one that it took the place of, and one name more.

const simulated = "/dir/doc.json"

var (
	simulatedLock = names.Lock(simulated)
	simulatedKept = names.Kept(simulated)
)

// marked is the content of a lock file with a mark.
func marked(mark lockMark) string { return strings.Repeat("\x00", int(mark)) }

// openSimulated is OpenFile in a simulated process.
func openSimulated(files fsys.FS, opts Options) (*Doc, error) {
	db, err := openFiles(files, simulated, filepath.Dir(simulated), &opts)
	if err != nil {
		return nil, err
	}
	return &Doc{db: db, drv: db.drv, opts: db.opts, key: simulated, name: simulated,
		owns: true}, nil
}

// withoutSweep makes a handle look for nothing that dead processes have left.
func withoutSweep(doc *Doc) {
	doc.drv.files.shared.rows.wait = map[string]int{simulated: 1 << 30}
}

func appendName(name string) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		var names []string
		if old != nil {
			if err := json.Unmarshal(old, &names); err != nil {
				return nil, err
			}
		}
		return json.Marshal(append(names, name))
	}
}

// scenario is some writers with their options, and others beside them.
type scenario struct {
	writers  []Options
	deleter  *Options // deletes what it finds
	creator  *Options // creates the document if it is not there
	restorer *Options // puts back what was there at the start
	remover  bool     // holds the lock and removes its file
	reader   bool     // reads twice
	watcher  int      // watches, with so many looks
	start    string   // content at the beginning, empty for none
	step     time.Duration
	deaths   int
	mark     lockMark // of the lock file at the beginning
	sweeps   bool     // also the operations on temporary files, one by one
	closed   bool     // a document that is open keeps its name
	ext4     bool     // the file system says that it is ext4, where volatile versions are exchanged
}

const foreignTemp = "/dir/.foreign.swp"

// quiet are the operations that nobody else notices: those on temporary files, of which only a
// sweep looks at other processes', and on a lock file that nobody removes.
func (s scenario) quiet(op, name string) bool {
	switch {
	case strings.HasPrefix(op, "sync"):
		return true
	case strings.HasSuffix(name, ".gate"): // nobody shares a lock, so that none is there
		return true
	case name == simulatedLock:
		return !s.remover
	case names.IsHistorySwitch(name): // nobody switches it
		return true
	case name == names.Intent(simulated): // only he who has the lock asks for it
		return op == "readlink" || s.deaths == 0
	case op == "readdir" || strings.HasSuffix(name, ".tmp"):
		// A place that is empty might as well have been looked at before; what is seen in
		// one is opened then, which is noticed.
		return !s.sweeps || op == "lstat"
	}
	return name == foreignTemp
}

func (s scenario) prepare(w *simfs.World) {
	w.Step = max(1, int64(s.step))
	w.Closed = s.closed
	if s.ext4 {
		w.Kind = "ext4"
	}
	w.Quiet = s.quiet
	if !s.remover {
		w.Put(simulatedLock, marked(s.mark))
	}
	if s.start != "" {
		w.Put(simulated, s.start)
	}
}

// opened runs do on a document in a new process, without the sweep if that is not looked at.
func (s scenario) opened(
	w *simfs.World, name string, opts Options, do func(doc *Doc) error,
) *simfs.Process {
	return w.Go(name, func(files fsys.FS) error {
		doc, err := openSimulated(files, opts)
		if err != nil {
			return err
		}
		defer doc.Close()
		if !s.sweeps {
			withoutSweep(doc)
		}
		return do(doc)
	})
}

func (s scenario) setup(w *simfs.World) (check func() error) {
	s.prepare(w)
	ctx := context.Background()
	const restored = `["r"]`
	var deleting []byte // what the deleter means to delete
	published := map[string]int{}
	versions := []string{s.start}
	w.OnPublish = func(by *simfs.Process, _ string, old, new []byte) error {
		versions = append(versions, string(new))
		published[by.Name]++
		want, err := []byte(restored), error(nil)
		switch {
		case by.Name == "deleter" && new == nil && bytes.Equal(old, deleting):
			return nil
		case by.Name == "creator" && old != nil:
			return fmt.Errorf("the creator took the place of %s", old)
		case by.Name != "restorer":
			want, err = appendName(by.Name)(old)
		}
		if err != nil || !bytes.Equal(new, want) {
			return fmt.Errorf("a lost update: %s put %q in the place of %q", by.Name, new, old)
		}
		return nil
	}
	acknowledged, limited := map[string]int{}, map[string]bool{}
	write := func(name string, opts Options, do func(doc *Doc) error) {
		s.opened(w, name, opts, func(doc *Doc) error {
			err := do(doc)
			switch {
			case err == nil:
				acknowledged[name]++
			case opts.Retry.MaxTries > 0 && errors.Is(err, ErrConflict), opts.LockWait < 0 &&
				errors.Is(err, ErrLocked):
				limited[name] = true
				return nil
			}
			return err
		})
	}
	for i, opts := range s.writers {
		name := string(rune('a' + i))
		write(name, opts, func(doc *Doc) error {
			_, err := doc.Update(ctx, appendName(name))
			return err
		})
	}
	if s.deleter != nil {
		s.opened(w, "deleter", *s.deleter,
			func(doc *Doc) error { return deleteWhatIsRead(doc, &deleting) })
	}
	if s.creator != nil {
		s.opened(w, "creator", *s.creator, func(doc *Doc) error {
			_, err := doc.Create(ctx, []byte(`["creator"]`))
			if errors.Is(err, ErrExist) {
				return nil
			}
			acknowledged["creator"]++
			return err
		})
	}
	if s.restorer != nil {
		write("restorer", *s.restorer, func(doc *Doc) error {
			_,
				err := doc.Update(ctx, become(restored))
			return err
		})
	}
	if s.reader {
		s.opened(w, "reader", Options{}, func(doc *Doc) error { return readTwice(doc, &versions) })
	}
	if s.watcher > 0 {
		s.opened(w, "watcher", Options{Poll: 1}, func(doc *Doc) error {
			return watchSimulated(doc, s.watcher, &versions)
		})
	}
	if s.remover {
		w.Go("remover", removeLockFile)
	}
	return func() error {
		for name, n := range published {
			if n > 1 {
				return fmt.Errorf("%s published %d times", name, n)
			}
		}
		for name := range limited {
			if published[name] > 0 {
				return fmt.Errorf("%s was told that nothing was changed, and has published", name)
			}
		}
		for name, n := range acknowledged {
			if published[name] != n && !(name == "restorer" &&
				slices.Contains(versions, restored)) {
				return fmt.Errorf("%s was acknowledged %d times and published %d times", name, n,
					published[name])
			}
		}
		return s.noLitter(w)
	}
}

// deleteWhatIsRead deletes the document as it was read, and reads again if it has changed.
func deleteWhatIsRead(doc *Doc, read *[]byte) error {
	ctx := context.Background()
	for {
		data, version, err := doc.Read(ctx)
		if errors.Is(err, ErrNotExist) {
			return nil
		}
		if err == nil {
			*read = data
			err = doc.CompareAndDelete(ctx, version)
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// readTwice wants to see one of the versions that were published, and then that or a later one.
func readTwice(doc *Doc, versions *[]string) error {
	at := 0
	for range 2 {
		data, _, err := doc.Read(context.Background())
		if err != nil && !errors.Is(err, ErrNotExist) {
			return err
		}
		later := slices.Index((*versions)[at:], string(data))
		if later < 0 {
			return fmt.Errorf("a reader saw %q, which is none of %q, or has been "+
				"replaced before", data, *versions)
		}
		at += later
	}
	return nil
}

// watchSimulated wants each event to be a version that was published after the one before it. An
// absent document is an event when it is found so twice, with 20 ms between on the test's clock.
func watchSimulated(doc *Doc, looks int, versions *[]string) (err error) {
	at, last := 0, Absent
	w := doc.watching(context.Background(), Absent, func(event Event, bad error) bool {
		later := slices.Index((*versions)[at:], string(event.Data))
		if bad != nil || later < 0 || event.Version == last {
			err = fmt.Errorf("an event with %q at %s, after %s: %w: the versions are %q from %d on",
				event.Data, event.Version, last, bad, *versions, at)
			return false
		}
		at, last = at+later, event.Version
		return true
	})
	now := time.Unix(0, 0)
	w.now = func() time.Time { return now }
	w.pause = func(time.Time) error {
		now = now.Add(lasting)
		if looks--; looks == 0 {
			return errStopped
		}
		return nil
	}
	w.run()
	return err
}

// removeLockFile removes it as one who knows that it holds the lock only if the name
// still is this file.
func removeLockFile(files fsys.FS) error {
	file, err := files.Open(simulatedLock, fsys.OpenLock, 0o600)
	if err == nil {
		err = file.Lock(0)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	locked, _ := file.Stat()
	if named, err := files.Lstat(simulatedLock); err != nil || !named.SameFile(locked) {
		return nil
	}
	return files.Remove(simulatedLock)
}

// noLitter: the next writer sweeps what the dead have left; without dead there is nothing.
func (s scenario) noLitter(w *simfs.World) error {
	found := litter(w)
	if len(found) == 0 {
		return nil
	}
	if s.deaths == 0 {
		return fmt.Errorf("litter: %s", strings.Join(found, " "))
	}
	for _, name := range found {
		if base, _, ok := names.Temporary(filepath.Base(name)); !ok ||
			base != filepath.Base(simulated) {
			return fmt.Errorf("litter that no sweep takes: %s", name)
		}
	}
	return nil
}

// litter lists what is neither the document nor its lock file, nor a version before it.
func litter(w *simfs.World) []string {
	on := w.Content(simulatedSwitch) != nil
	return slices.DeleteFunc(w.Names(), func(name string) bool {
		_, entry := names.HistoryOf(filepath.Base(simulated), filepath.Base(name))
		if on && (entry || name == simulatedSwitch) {
			return true
		}
		return name == simulated || name == simulatedLock || name == simulatedKept
	})
}

var simulatedModes = map[string]Options{
	"hash":    {Durability: Volatile},
	"mtime":   {Durability: Volatile, Versions: VersionMtime},
	"locking": {Durability: Volatile, Locking: true},
}
