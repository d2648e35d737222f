// Power cuts under goroutines of one handle, and calls of the file system that go wrong
// for them.

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// crowdCuts is a handle with two goroutines that append their names, and the power is
// cut at every moment.
func (p *powerCuts) crowdCuts(w *simfs.World) (check func() error, cut func(*simfs.World) error) {
	w.Journal = p.journal
	w.Quiet = func(op, name string) bool {
		return name == simulatedLock || op == "lstat" || op == "readdir" || op == "readlink"
	}
	w.Put(simulatedLock, "")
	versions := [][]byte{nil}
	if p.start != "" {
		w.Put(simulated, p.start)
		versions[0] = []byte(p.start)
	}
	w.OnPublish = func(_ *simfs.Process, _ string, _, new []byte) error {
		versions = append(versions, new)
		return nil
	}
	acknowledged, left := 0, 2
	w.Go("p", func(files fsys.FS) error {
		doc, err := openSimulated(files, p.opts)
		if err != nil {
			return err
		}
		withoutSweep(doc)
		process := files.(*simfs.Process)
		simulateThreads(process, doc, false)
		var failed error
		for i := range left {
			name := "p" + strconv.Itoa(i)
			process.Spawn(name, func() {
				_, err := doc.Update(context.Background(), appendName(name))
				failed = errors.Join(failed, err)
				acknowledged = max(acknowledged, slices.IndexFunc(versions, func(v []byte) bool {
					return bytes.Contains(v, []byte(name))
				}))
				left--
			})
		}
		process.Block("wait for all", func() bool { return left == 0 })
		return errors.Join(failed, doc.Close())
	})
	cut = func(w *simfs.World) error {
		for _, model := range p.models() {
			err := w.AfterPowerCut(model, func(found *simfs.World) error {
				return p.examine(found, model, versions, acknowledged)
			})
			if err != nil {
				return fmt.Errorf("the power is cut here, in the %v model: %w", model, err)
			}
		}
		return nil
	}
	return func() error { return nil }, cut
}

// TestCrowdPowerCuts is TestPowerCuts with callers that are combined.
func TestCrowdPowerCuts(t *testing.T) {
	needsSlashes(t)
	for _, start := range []string{"", `["start"]`} {
		for _, durability := range []Durability{Durable, Ordered, Volatile} {
			for i, mode := range []Options{{}, {Versions: VersionMtime}, {Locking: true}, {}} {
				mode.Durability = durability
				journal := i == 3
				name := fmt.Sprintf("%q %v %v locking=%v journal=%v",
					start, durability, mode.Versions, mode.Locking, journal)
				t.Run(name, func(t *testing.T) {
					skipUnderRaceDetector(t)
					t.Parallel()
					began := time.Now()
					p := &powerCuts{opts: mode, start: start, journal: journal,
						tried: map[string]bool{}}
					cutPower(t, p, p.crowdCuts)
					t.Logf("%d found, %d torn, %d without what was acknowledged, %.2f s",
						p.states, p.torn, p.lost, time.Since(began).Seconds())
					if durability != Durable && p.lost == 0 {
						t.Errorf("%v never lost an acknowledged update, which it may", durability)
					}
				})
			}
		}
	}
}

// crowdFault is one call that goes wrong while two goroutines of one handle, and then
// one more, update a document.
type crowdFault struct {
	opts   Options
	second deed
	nth    int
	fault  simfs.Fault
	span   span
}

// run reports whether there was an nth call.
func (c crowdFault) run(t *testing.T) (reached bool) {
	t.Helper()
	w := simfs.New()
	w.Quiet = func(string, string) bool { return true }
	w.Put(simulated, `["x"]`)
	calls, failed, over, opened := 0, "", false, false
	faulty := &simfs.Faulty{Inject: func(op, _ string) simfs.Fault {
		if !opened || over {
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
		return c.fault
	}}
	complain := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%v %v locking=%v guard=%v, %s, call %d, %s, %+v, span %d: %s",
			c.opts.Versions, c.opts.Durability, c.opts.Locking, c.opts.GuardForeign,
			c.second, c.nth, failed, c.fault, c.span, fmt.Sprintf(format, args...))
	}
	told := make([]error, 2)
	err := w.Sequentially("p", func(files fsys.FS) error {
		faulty.FS = files
		process := files.(*simfs.Process)
		doc, err := openSimulated(faulty, c.opts)
		if err != nil {
			return err
		}
		opened = true
		simulateThreads(process, doc, false)
		left := len(told)
		for i, what := range []deed{appends, c.second} {
			process.Spawn("p"+strconv.Itoa(i), func() {
				_, told[i] = doc.Update(context.Background(), func(old []byte) ([]byte, error) {
					process.Block("let the other one come")
					return what.done("p"+strconv.Itoa(i), old)
				})
				left--
			})
		}
		process.Block("wait for all", func() bool { return left == 0 })
		over = true
		c.judge(told, w.Content(simulated), complain)
		if left := litter(w); len(left) > 0 && c.span == once && failed != "remove" &&
			!c.fault.After {
			complain("left at once: %q", left)
		}
		if _, err := doc.Update(context.Background(), appendName("p2")); err != nil {
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
		_, err = doc.Update(context.Background(), appendName("next"))
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

// judge compares what the callers were told with what has become of the document.
func (c crowdFault) judge(told []error, content []byte, complain func(format string, args ...any)) {
	var names []string
	if err := json.Unmarshal(content, &names); err != nil || len(names) == 0 || names[0] != "x" {
		complain("the content is %q", content)
		return
	}
	alone := 0 // who was told of what is known to have changed nothing
	for i, err := range told {
		n := 0
		for _, name := range names {
			if name == "p"+strconv.Itoa(i) {
				n++
			}
		}
		applied := i == 0 || c.second == appends
		switch {
		case err == nil && applied && n != 1, n > 1, !applied && n != 0:
			complain("%d was told %v, and is there %d times: %q", i, err, n, names)
		case errors.Is(err, errRefused) && !applied && c.second == refuses:
		case errors.Is(err, ErrUnknown), err == nil:
		case errors.Is(err, ErrNotDurable) && n != 1 && applied:
			complain("%d was told %v, and is not there: %q", i, err, names)
		case errors.Is(err, ErrNotDurable):
		case n != 0:
			complain("%d was told %v, and is there: %q", i, err, names)
		default:
			alone++
		}
		if err != nil && !errors.Is(err, c.fault.Err) && !errors.Is(err, errRefused) {
			complain("%d was told %v", i, err)
		}
	}
	if alone > 1 && c.span == once {
		complain("one call went wrong, and both were told: %v", told)
	}
}

// TestCrowdFaults is TestFaults with callers that are combined: whichever call goes
// wrong, what each is told is true of its own.
func TestCrowdFaults(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	faults := []simfs.Fault{{Err: errFault, Short: true}, {Err: errFault},
		{Err: errFault, After: true}}
	cases := 0
	modes := []Options{{}, {Locking: true}, {Versions: VersionMtime}, {GuardForeign: true},
		{FlushOrder: JournalOrder}}
	for _, mode := range modes {
		for _, durability := range []Durability{Durable, Ordered, Volatile} {
			for _, second := range []deed{appends, keeps, refuses} {
				for _, fault := range faults {
					for _, span := range []span{once, thatCall, everything} {
						c := crowdFault{opts: mode, second: second, fault: fault, span: span}
						c.opts.Durability = durability
						for c.nth = 1; c.run(t); c.nth++ {
							cases++
						}
						if c.nth < 4 {
							t.Fatalf("only %d calls were seen", c.nth-1)
						}
					}
				}
			}
		}
	}
	t.Logf("%d faults", cases)
}

var errFault = errors.New("the device has failed")
