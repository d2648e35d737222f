package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// openFaulty is OpenFile on the real file system, where each call first asks inject
// what is to go wrong.
func openFaulty(t *testing.T, path string, opts Options, inject func(op, name string) error) *Doc {
	t.Helper()
	opened := false
	files := &simfs.Faulty{FS: fsys.New(), Inject: func(op, name string) simfs.Fault {
		if !opened {
			return simfs.Fault{}
		}
		return simfs.Fault{Err: inject(op, name)}
	}}
	db, err := openFiles(files, path, filepath.Dir(path), &opts)
	if err != nil {
		t.Fatal(err)
	}
	opened = true
	doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path, owns: true}
	t.Cleanup(func() { doc.Close() })
	return doc
}

// faultCase is one call that goes wrong, in one way, in one thing that is done to a document.
type faultCase struct {
	history bool // it is on
	opts    Options
	old     string // content before, empty for none
	want    string // content afterwards if all goes well
	do      func(doc *Doc) error
	nth     int // call
	fault   simfs.Fault
	span    span
	ext4    bool // where volatile versions are exchanged
}

// span is how long it goes wrong.
type span int

const (
	once       span = iota
	thatCall        // each time from then on, but other calls go well
	everything      // from then on nothing goes well
)

// TestFaults: whichever call of the file system goes wrong, in whichever way, a write
// leaves the old content and says what went wrong, or the new one. The handle is as
// good as before when the fault is over, nothing stays open or locked, and there is no
// litter but what could not be removed, which the next handle sweeps.
func TestFaults(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	const before, after = "[1]", "[2]"
	ctx := context.Background()
	writes := []faultCase{
		{old: "", want: after, do: func(doc *Doc) error { _, err := doc.Update(ctx, become(after)); return err }},
		{old: "", want: after, do: func(doc *Doc) error { _, err := doc.Create(ctx, []byte(after)); return err }},
		{old: before, want: after, do: func(doc *Doc) error { _, err := doc.Update(ctx, become(after)); return err }},
		{old: before, want: "", do: func(doc *Doc) error { return doc.Delete(ctx) }},
		{old: before, want: before, do: func(doc *Doc) error { _, _, err := doc.Read(ctx); return err }},
	}
	faults := []simfs.Fault{{Err: io.ErrShortWrite, Short: true},
		{Err: syscall.ENOSPC, Short: true}}
	for _, err := range []error{syscall.EIO, syscall.ENOSPC, syscall.EMFILE, syscall.EINTR} {
		faults = append(faults, simfs.Fault{Err: err}, simfs.Fault{Err: err, After: true})
	}
	var cases atomic.Int64
	t.Cleanup(func() { t.Logf("%d faults", cases.Load()) })
	modes := []Options{{}, {Locking: true}, {Versions: VersionMtime}, {GuardForeign: true},
		{GuardForeign: true, Locking: true},
		{FlushOrder: JournalOrder}, {FlushOrder: JournalOrder, GuardForeign: true},
		{KeepLast: true}, {KeepLast: true, GuardForeign: true},
		{KeepLast: true, FlushOrder: JournalOrder}}
	for i, mode := range append(modes, Options{}, Options{GuardForeign: true},
		Options{FlushOrder: JournalOrder}) {
		for _, durability := range []Durability{Durable, Ordered, Volatile} {
			t.Run(fmt.Sprint(i, " ", durability), func(t *testing.T) {
				t.Parallel()
				for _, write := range writes {
					for _, fault := range faults {
						for _, span := range []span{once, thatCall, everything} {
							c := write
							c.opts, c.fault, c.span, c.history = mode, fault, span, i >= len(modes)
							c.opts.Durability, c.opts.LockWait = durability, -1
							for _, c.ext4 = range []bool{false, true}[:1+durability/Volatile] {
								for c.nth = 1; c.run(t); c.nth++ {
									cases.Add(1)
								}
								if c.nth < 4 {
									t.Fatalf("only %d calls were seen", c.nth-1)
								}
							}
						}
					}
				}
			})
		}
	}
}

// run reports whether there was an nth call.
func (c faultCase) run(t *testing.T) (reached bool) {
	t.Helper()
	w := simfs.New()
	if c.ext4 {
		w.Kind = "ext4"
	}
	w.Quiet = func(string, string) bool { return true }
	if c.old != "" {
		w.Put(simulated, c.old)
	}
	if c.history {
		w.Put(simulatedSwitch, `{"all":{}}`)
	}
	calls, failed, failedOf, over := 0, "", "", false
	var lost lookups
	faulty := &simfs.Faulty{Inject: func(op, name string) simfs.Fault {
		calls++
		if over || calls < c.nth || c.span == once && calls > c.nth || c.span == thatCall &&
			failed != "" && op != failed {
			return simfs.Fault{}
		}
		if calls == c.nth {
			failed, failedOf = op, name
		}
		lost.notes(op)
		return c.fault
	}}
	complain := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%v %v locking=%v guard=%v kept=%v, %q to %q, call %d, %s, %+v, span %d: %s",
			c.opts.Versions, c.opts.Durability, c.opts.Locking,
			c.opts.GuardForeign, c.opts.KeepLast || c.history, c.old, c.want, c.nth, failed,
			c.fault, c.span,
			fmt.Sprintf(format, args...))
	}
	err := w.Sequentially("writer", func(files fsys.FS) error {
		faulty.FS = files
		calls = math.MinInt // opening is not what is looked at
		doc, err := openSimulated(faulty, c.opts)
		if err != nil {
			return err
		}
		calls = 0
		err = c.do(doc)
		over = true
		if failedOf == simulatedLock {
			failed += " of the lock" // a flush of it is before the publish
		}
		c.judge(err, string(w.Content(simulated)), failed, lost.unknowable(c.opts), complain)
		if err == nil && c.opts.Durability != Volatile {
			c.cutPower(w, complain)
		}
		// What cannot be removed, or not be looked at before that, is left to a sweep.
		may := failed == "remove" || failed == "lstat"
		if left := litter(w); len(left) > 0 && c.span == once && !may && !c.fault.After {
			complain("left at once: %q", left)
		}
		if _, err := doc.Update(context.Background(), become("[3]")); err != nil {
			complain("the next update: %v", err)
		}
		doc.Close()
		if n := faulty.Opened.Load(); n != 0 {
			complain("%d files are still open", n)
		}
		return nil
	}, nil)
	if err != nil {
		complain("%v", err)
	}
	err = w.Sequentially("next", func(files fsys.FS) error {
		doc, err := openSimulated(files, Options{LockWait: -1})
		if err != nil {
			return err
		}
		defer doc.Close()
		_, err = doc.Update(context.Background(), become("[4]"))
		return err
	}, nil)
	if err != nil {
		complain("the next handle: %v", err)
	}
	if left := litter(w); len(left) > 0 {
		complain("left: %q", left)
	}
	return failed != ""
}

// lookups counts what went wrong of that by which it is found out what has become of a change.
type lookups struct {
	faults  int
	changed bool // a call that changes the document went wrong
	failed  bool // and then a look at what has become of it
}

func (l *lookups) notes(op string) {
	l.faults++
	switch op {
	case "rename", "rename new", "exchange", "remove":
		l.changed = true
	case "lstat":
		l.failed = l.failed || l.changed
	}
}

// unknowable reports whether ErrUnknown is true: the look went wrong; or that at what a
// guard has displaced did, and then it could not be put back.
func (l *lookups) unknowable(opts Options) bool {
	return l.failed || opts.GuardForeign &&
		l.faults > 1
}

// cutPower looks at whether what was acknowledged is on the device as it should be.
func (c faultCase) cutPower(w *simfs.World, complain func(format string, args ...any)) {
	models := []simfs.Model{simfs.Ordered, simfs.Weak}
	if c.opts.FlushOrder == JournalOrder {
		models = models[:1]
	}
	for _, model := range models {
		err := w.AfterPowerCut(model, func(found *simfs.World) error {
			if got := string(found.Content(simulated)); got != c.want &&
				(c.opts.Durability == Durable || got != c.old) {
				return fmt.Errorf("after a power cut the content is %q", got)
			}
			return nil
		})
		if err != nil {
			complain("%v", err)
		}
	}
}

// judge compares what a write said with what it did. Unknowable is whether what has
// become of it could not be looked up.
func (c faultCase) judge(
	err error, got, failed string, unknowable bool, complain func(format string, args ...any),
) {
	last := "syncdir"
	if c.opts.FlushOrder == JournalOrder && c.want != "" {
		last = "sync"
	}
	switch {
	case got != c.old && got != c.want:
		complain("the content is %q", got)
	case err == nil && got != c.want:
		complain("no error, and the content is %q", got)
	case errors.Is(err, ErrNotDurable):
		if got != c.want || failed != last && c.span != everything {
			complain("%v, and the content is %q", err, got)
		}
	case failed == last && failed != "":
		complain("%v, want ErrNotDurable", err)
	case errors.Is(err, ErrUnknown):
		if !unknowable {
			complain("%v, but it could be looked up", err)
		}
	case err != nil && got != c.old:
		complain("%v, and the content is %q", err, got)
	}
	if err != nil && !errors.Is(err, c.fault.Err) {
		complain("the error is %v", err)
	}
}

// TestForeignCreator: a program that takes no lock makes the document between verify and publish;
// what it wrote is not replaced unseen.
func TestForeignCreator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	foreign := false
	doc := openFaulty(t, path, Options{}, func(op, name string) error {
		if op == "rename new" && !foreign {
			foreign = true
			return os.WriteFile(path, []byte("41"), 0o600)
		}
		return nil
	})
	if _, err := doc.Update(context.Background(), increment); err != nil {
		t.Error(err)
	}
	if got := content(t, doc); got != "42" {
		t.Errorf("the document is %s, want 42", got)
	}
	if stats := doc.Stats(); stats.Conflicts != 1 {
		t.Errorf("stats: %v", stats)
	}
}

// TestSureLoserDoesNotFlush: an update whose document has moved on is told so before it
// waits for the device.
func TestSureLoserDoesNotFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	doc := openFaulty(t, path, Options{Retry: Retry{MaxTries: 1}}, func(op, name string) error {
		if strings.HasPrefix(op, "sync") {
			t.Errorf("%s %s", op, name)
		}
		return nil
	})
	_, err := doc.Update(context.Background(), func([]byte) ([]byte, error) {
		return []byte("1"), os.WriteFile(path, []byte("2"), 0o600)
	})
	if !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
}

// TestFlushes: each level flushes what it promises to, and in that order.
func TestFlushes(t *testing.T) {
	for _, test := range []struct {
		opts Options
		want string
	}{
		{Options{FlushOrder: PortableOrder}, "sync opendir rename syncdir"},
		{Options{FlushOrder: PortableOrder, Locking: true}, "sync opendir rename syncdir"},
		{Options{FlushOrder: PortableOrder, Durability: Ordered}, "sync rename"},
		{Options{FlushOrder: JournalOrder}, "syncdata rename sync"},
		{Options{FlushOrder: JournalOrder, Locking: true}, "syncdata rename sync"},
		{Options{FlushOrder: JournalOrder, Durability: Ordered}, "syncdata rename"},
		{Options{Durability: Volatile}, "rename"},
	} {
		if test.opts.FlushOrder == JournalOrder && runtime.GOOS != "linux" {
			continue // there the content alone cannot be flushed
		}
		path := filepath.Join(t.TempDir(), "doc.json")
		var ops []string
		var doc *Doc
		doc = openFaulty(t, path, test.opts, func(op, name string) error {
			switch op {
			case "rename", "rename new", "exchange":
				ops = append(ops, "rename")
			case "sync", "syncdata", "opendir", "syncdir":
				ops = append(ops, op)
			}
			if op == "syncdir" || op == "sync" && len(ops) == 3 {
				holdLock(t, doc)() // nobody waits for our last flush
			}
			return nil
		})
		for _, data := range []string{"1", "2"} {
			ops = nil
			if _, err := doc.Update(context.Background(), become(data)); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(ops, " "); got != test.want {
				t.Errorf("%v: %s, want %s", test.opts.Durability, got, test.want)
			}
		}
	}
}

// TestOutOfDescriptors: what is needed for the last flush is there before the publish, or
// nothing is changed.
func TestOutOfDescriptors(t *testing.T) {
	ctx := context.Background()
	for name, do := range map[string]func(doc *Doc) error{
		"update": func(doc *Doc) error { _, err := doc.Update(ctx, increment); return err },
		"delete": func(doc *Doc) error { return doc.Delete(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "doc.json")
			if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
				t.Fatal(err)
			}
			doc := openFaulty(t, path, Options{FlushOrder: PortableOrder},
				func(op, _ string) error {
					if op == "opendir" {
						return syscall.EMFILE
					}
					return nil
				})
			err := do(doc)
			if !errors.Is(err, syscall.EMFILE) || errors.Is(err, ErrNotDurable) {
				t.Errorf("%v, want EMFILE and that nothing was changed", err)
			}
			if got := content(t, doc); got != "1" {
				t.Errorf("the document is %s", got)
			}
			checkUnlocked(t, doc)
		})
	}
}

// remote is a file system of another machine.
type remote struct{ fsys.FS }

func (remote) Network(string) (string, error) { return "nfs", nil }

// TestFullWhenClosed: a file system that says only when a file is closed that there was no
// space does not get it published, though nothing is flushed.
func TestFullWhenClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	faulty := &simfs.Faulty{FS: remote{fsys.New()}, Inject: func(op, _ string) simfs.Fault {
		if op == "write back" {
			return simfs.Fault{Err: syscall.ENOSPC}
		}
		return simfs.Fault{}
	}}
	db, err := openFiles(faulty, path, filepath.Dir(path),
		&Options{Durability: Volatile, AllowNetwork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	doc := &Doc{db: db, drv: db.drv, opts: db.opts, key: path, name: path}
	if _, err := doc.Update(context.Background(), increment); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v, want ENOSPC", err)
	}
	if got := content(t, doc); got != "1" {
		t.Errorf("the document is %s", got)
	}
	wantFiles(t, doc, "doc.json")
}
