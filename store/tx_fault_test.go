//go:build !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// txFault is one call that goes wrong in a transaction over two documents.
type txFault struct {
	ext4  bool // where volatile versions are exchanged, and members' intents are files else
	opts  Options
	old   string // both documents before; empty for none
	want  string // and afterwards; empty for none
	nth   int
	fault simfs.Fault
	span  span
}

// TestTransactionFaults: whichever call goes wrong, a transaction over two documents leaves both
// as they were and says what went wrong, or changes both; then the handle is as good as before,
// nothing stays open, and the next writers and a sweep leave nothing behind.
func TestTransactionFaults(t *testing.T) {
	skipUnderRaceDetector(t) // one goroutine, and some 60,000 runs
	faults := []simfs.Fault{{Err: syscall.ENOSPC, Short: true}, {Err: io.ErrShortWrite,
		Short: true},
		{Err: syscall.EIO}, {Err: syscall.EIO, After: true}, {Err: syscall.EMFILE}}
	var cases atomic.Int64
	t.Cleanup(func() { t.Logf("%d faults", cases.Load()) })
	for i, mode := range []Options{{FlushOrder: PortableOrder}, {FlushOrder: JournalOrder},
		{Locking: true},
		{Versions: VersionMtime}, {GuardForeign: true}} {
		for _, durability := range []Durability{Durable, Ordered, Volatile} {
			t.Run(fmt.Sprint(i, " ", durability), func(t *testing.T) {
				t.Parallel()
				for _, change := range [][2]string{{"[1]", "[2]"}, {"", "[2]"}, {"[1]", ""}} {
					for _, fault := range faults {
						for _, span := range []span{once, thatCall, everything} {
							c := txFault{opts: mode, old: change[0], want: change[1], fault: fault,
								span: span}
							c.opts.Durability, c.opts.LockWait = durability, -1
							c.opts.Logger = slog.New(slog.DiscardHandler)
							cases.Add(c.runAll(t))
						}
					}
				}
			})
		}
	}
}

// runAll lets each call fail, one after the other, and returns how many there were.
func (c txFault) runAll(t *testing.T) (cases int64) {
	t.Helper()
	kinds := 1
	if c.opts.Durability == Volatile || c.opts.FlushOrder == PortableOrder {
		kinds = 2
	}
	for _, c.ext4 = range []bool{false, true}[:kinds] {
		for c.nth = 1; c.run(t); c.nth++ {
			cases++
		}
		if c.nth < 10 {
			t.Fatalf("only %d calls were seen", c.nth-1)
		}
	}
	return cases
}

func (c txFault) run(t *testing.T) (reached bool) {
	t.Helper()
	s := txScenario{opts: c.opts}
	w := simfs.New()
	w.Quiet = func(string, string) bool { return true }
	if c.ext4 {
		w.Kind = "ext4"
	}
	if c.old != "" {
		w.Put(simulatedDoc('a'), c.old)
		w.Put(simulatedDoc('b'), c.old)
	}
	calls, failed, over := 0, "", false
	var after []string // calls since the first that went wrong
	faulty := &simfs.Faulty{Inject: func(op, name string) simfs.Fault {
		calls++
		if over || calls < c.nth || c.span == once && calls > c.nth || c.span == thatCall &&
			failed != "" && op != failed {
			return simfs.Fault{}
		}
		if calls == c.nth {
			failed = op
		}
		after = append(after, op)
		return c.fault
	}}
	complain := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%+v, %q to %q, call %d, %s, %+v, span %d: %s", c.opts, c.old, c.want, c.nth,
			failed,
			c.fault, c.span, fmt.Sprintf(format, args...))
	}
	both := func(docs map[rune]*Doc) (found [2]string, err error) {
		for i, letter := range "ab" {
			data, _, err := docs[letter].Read(context.Background())
			if err != nil && !errors.Is(err, ErrNotExist) {
				return found, err
			}
			found[i] = string(data)
		}
		return found, nil
	}
	err := w.Sequentially("writer", func(files fsys.FS) error {
		faulty.FS = files
		calls = math.MinInt // opening is not what is looked at
		docs, err := s.open(faulty, "ab", c.opts)
		if err != nil {
			return err
		}
		calls = 0
		err = Transact(context.Background(), func(tx *Tx) error {
			for _, letter := range "ab" {
				var err error
				if c.want == "" {
					err = tx.Delete(docs[letter])
				} else {
					err = tx.Write(docs[letter], []byte(c.want))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		over = true
		found, readErr := both(docs)
		if readErr != nil {
			return readErr
		}
		c.judge(err, found, failed, after, complain)
		if (err == nil || errors.Is(err, ErrNotDurable)) && c.opts.Durability != Volatile {
			c.cutPower(w, err == nil && c.opts.Durability == Durable, complain)
		}
		// What cannot be removed, or not be looked at before that, is left to others, and all
		// is where the commit could not be flushed.
		may := failed == "remove" || failed == "lstat" || err == nil ||
			errors.Is(err, ErrNotDurable)
		for _, name := range w.Names() {
			if strings.HasSuffix(name, ".tx") && c.span == once && !may && !c.fault.After {
				complain("left at once: %s", name)
			}
		}
		for _, letter := range "ab" {
			if _, err := docs[letter].Update(context.Background(), become("[3]")); err != nil {
				complain("the next update: %v", err)
			}
			docs[letter].Close()
		}
		if n := faulty.Opened.Load(); n != 0 {
			complain("%d files are still open", n)
		}
		return nil
	}, nil)
	if err != nil {
		complain("%v", err)
	}
	err = w.Sequentially("next", func(files fsys.FS) error {
		docs, err := s.open(files, "ab", Options{LockWait: -1})
		if err != nil {
			return err
		}
		for _, letter := range "ab" {
			if _, err := docs[letter].Update(context.Background(), become("[4]")); err != nil {
				return err
			}
			if _, _, err := docs[letter].Sweep(context.Background()); err != nil {
				return err
			}
			docs[letter].Close()
		}
		return nil
	}, nil)
	if err != nil {
		complain("the next handle: %v", err)
	}
	for _, name := range w.Names() {
		if strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".tx") {
			complain("left: %s", name)
		}
	}
	return failed != ""
}

// judge compares what the transaction said with what it did.
func (c txFault) judge(
	err error, found [2]string, failed string, after []string, complain func(format string,
		args ...any),
) {
	old, want := [2]string{c.old, c.old}, [2]string{c.want, c.want}
	switch {
	case found != old && found != want:
		complain("the documents are %q", found)
	case err == nil && found != want:
		complain("no error, and the documents are %q", found)
	case err == nil && strings.HasPrefix(failed, "sync"):
		complain("a flush that failed is hidden")
	case errors.Is(err, ErrNotDurable):
		flush := func(op string) bool { return strings.HasPrefix(op, "sync") || op == "begin" }
		if found != want || !slices.ContainsFunc(after, flush) {
			complain("%v, and the documents are %q", err, found)
		}
	case errors.Is(err, ErrUnknown):
		if !slices.Contains(after, "truncate") || !slices.Contains(after, "stat") {
			complain("%v, but it could be looked up", err)
		}
	case err != nil && found != old:
		complain("%v, and the documents are %q", err, found)
	}
	if err != nil && !errors.Is(err, c.fault.Err) {
		complain("the error is %v", err)
	}
}

// cutPower checks what a power cut leaves of a committed transaction: all or nothing, and all if
// it was acknowledged as durable.
func (c txFault) cutPower(
	w *simfs.World, acknowledged bool, complain func(format string, args ...any),
) {
	models := []simfs.Model{simfs.Ordered, simfs.Weak}
	if c.opts.FlushOrder == JournalOrder {
		models = models[:1]
	}
	for _, model := range models {
		err := w.AfterPowerCut(model, func(found *simfs.World) error {
			return found.Sequentially("look", func(files fsys.FS) error {
				docs, err := txScenario{}.open(files, "ab", c.opts)
				if err != nil {
					return err
				}
				var got [2]string
				for i, letter := range "ab" {
					data, _, err := docs[letter].Read(context.Background())
					if err != nil && !errors.Is(err, ErrNotExist) {
						return err
					}
					got[i] = string(data)
				}
				want, old := [2]string{c.want, c.want}, [2]string{c.old, c.old}
				if got != want && (acknowledged || got != old) {
					return fmt.Errorf("after a power cut the documents are %q", got)
				}
				return nil
			}, nil)
		})
		if err != nil {
			complain("%v", err)
		}
	}
}
