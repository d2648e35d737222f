package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// Power cuts on the simulated file system: at every moment, in every order of the
// operations, with everything that a file system may have kept or lost. Of each
// document that is found then, three things are told: whether it is whole, whether an
// acknowledged version is missing, and whether the next writer goes on from it, also if
// the power is cut again meanwhile.

// powerCuts is what was seen at the power cuts of one scenario.
type powerCuts struct {
	opts   Options
	writes []write
	start  string
	// journal: the file system has one for all, and need not survive the weak model.
	journal bool
	breaks  bool // its device fails at some moment, with a journal that is ext4's
	// remembers: the document's history is on.
	remembers bool
	tried     map[string]bool // what was gone through already

	states int // file systems that were found
	// Of those, with a document that nobody wrote, or older than what was acknowledged.
	torn, lost int
	kept       int // where the version before was kept
	// Of a history: where the last version is missing, which was not acknowledged.
	missing int
}

// write is what one process does.
type write int

const (
	appending write = iota
	creating
	deleting
	ensuring // appends its part only if it is not there, else keeps what is
	sloppy   // ensures the same, and is volatile
)

// ensured is what ensuring and sloppy see to.
const ensured = "ensured"

func ensure(old []byte) ([]byte, error) {
	if bytes.Contains(old, []byte(ensured)) {
		return old, nil
	}
	return appendName(ensured)(old)
}

// mayTear reports whether one of the writers may leave a torn document.
func (p *powerCuts) mayTear() bool {
	return p.opts.Durability == Volatile || slices.Contains(p.writes, sloppy)
}

// mark is what the lock file has at the start: that it is marked is explored where there are
// few other changes to lose.
func (p *powerCuts) mark() string {
	if p.opts.GuardForeign && !p.journal {
		return marked(markIntents)
	}
	return marked(markNoIntent)
}

func (p *powerCuts) models() []simfs.Model {
	if p.journal {
		return []simfs.Model{simfs.Ordered}
	}
	return []simfs.Model{simfs.Ordered, simfs.Weak}
}

func (p *powerCuts) setup(w *simfs.World) (check func() error, cut func(*simfs.World) error) {
	w.Journal = p.journal
	if p.breaks {
		w.Kind = "ext4"
		w.Go("device", func(files fsys.FS) error { return files.(*simfs.Process).Break() })
	}
	w.Quiet = func(op, name string) bool {
		return name == simulatedLock || op == "lstat" || op == "readdir" || op == "readlink"
	}
	// With the lock file and the sweep out of the way there are fewer changes to lose; both
	// come back when it is gone on from what is found.
	w.Put(simulatedLock, p.mark())
	if p.start != "" {
		w.Put(simulated, p.start)
	}
	if p.remembers {
		w.Put(simulatedSwitch, `{"all":{}}`)
	}
	versions := [][]byte{[]byte(p.start)}
	if p.start == "" {
		versions[0] = nil
	}
	acknowledged := 0 // the latest of versions that is known to be durable
	last := map[string]int{}
	w.OnPublish = func(by *simfs.Process, _ string, _, new []byte) error {
		last[by.Name] = len(versions)
		versions = append(versions, new)
		return nil
	}
	ctx := context.Background()
	for i, what := range p.writes {
		name := string(rune('a' + i))
		w.Go(name, func(files fsys.FS) error {
			opts := p.opts
			if what == sloppy {
				opts.Durability = Volatile
			}
			doc, err := openSimulated(files, opts)
			if err != nil {
				return err
			}
			defer doc.Close()
			withoutSweep(doc)
			switch what {
			case ensuring, sloppy:
				made := []byte(nil)
				_, err = doc.Update(ctx, func(old []byte) ([]byte, error) {
					next, err := ensure(old)
					made = bytes.Clone(next)
					return next, err
				})
				if p.breaks && err != nil {
					return nil
				}
				if err == nil && what == ensuring {
					// What it made, or kept: the first version that is so.
					is := func(v []byte) bool { return bytes.Equal(v, made) }
					acknowledged = max(acknowledged, slices.IndexFunc(versions, is))
				}
				return err
			case appending:
				_, err = doc.Update(ctx, appendName(name))
			case creating:
				_, err = doc.Create(ctx, []byte(`["created"]`))
			case deleting:
				err = doc.Delete(ctx)
			}
			if err == nil {
				acknowledged = max(acknowledged, last[name])
			}
			switch {
			case what == creating && errors.Is(err, ErrExist), what == deleting &&
				errors.Is(err, ErrNotExist),
				p.breaks: // what it is told then is right if it is not that all is well
				return nil
			}
			return err
		})
	}
	cut = func(w *simfs.World) error {
		for _, model := range p.models() {
			err := w.AfterPowerCut(model,
				func(found *simfs.World) error {
					return p.examine(found, model, versions,
						acknowledged)
				})
			if err != nil {
				return fmt.Errorf("the power is cut here, in the %v model: %w", model, err)
			}
		}
		return nil
	}
	return func() error { return nil }, cut
}

// sweepSimulated removes what dead processes have left.
func sweepSimulated(files fsys.FS) error {
	doc, err := openSimulated(files, Options{})
	if err == nil {
		defer doc.Close()
		_, _, err = doc.Sweep(context.Background())
	}
	return err
}

// examine looks at a file system that is found after a power cut.
func (p *powerCuts) examine(
	found *simfs.World, model simfs.Model, versions [][]byte, acknowledged int,
) error {
	content := found.Content(simulated)
	index := -1
	for i, version := range versions {
		if bytes.Equal(version, content) && (version == nil) == (content == nil) {
			index = i // the latest one with this content
		}
	}
	p.states++
	switch {
	case index < 0:
		p.torn++
		if !p.mayTear() || acknowledged == len(versions)-1 && p.opts.Durability != Volatile {
			return fmt.Errorf("a torn document: %q, which is none of %q", content, versions)
		}
	case index < acknowledged:
		p.lost++
		if p.opts.Durability == Durable {
			return fmt.Errorf("a lost update: found %q, but %q was acknowledged", content,
				versions[acknowledged])
		}
	}
	if err := p.examineKept(found, versions, index); err != nil {
		return err
	}
	if p.remembers {
		if err := p.examineHistory(found, model, versions, index, acknowledged); err != nil {
			return err
		}
	}
	return p.recover(found, model, index < 0, 1)
}

// examineKept looks at the version before, which no durable write tears, and which is none
// but a version that was replaced, or the document by another name.
func (p *powerCuts) examineKept(found *simfs.World, versions [][]byte, index int) error {
	kept := found.Content(simulatedKept)
	if kept == nil || p.mayTear() {
		return nil
	}
	at := slices.IndexFunc(versions, func(v []byte) bool { return bytes.Equal(v, kept) })
	if at < 0 || !p.opts.KeepLast {
		return fmt.Errorf("%q is kept, which is none of %q", kept, versions)
	}
	p.kept++
	return nil
}

// recover goes on from what was found: the next writer updates it and leaves no litter. The
// power is cut again at each moment of that, cuts times one in the other.
//
// In the weak model a file that a guard has renamed may be there without its intent. It is left
// until somebody reads the directory.
func (p *powerCuts) recover(found *simfs.World, model simfs.Model, torn bool, cuts int) error {
	before := found.Content(simulated)
	// What comes next depends on nothing but what was found.
	key := string(found.AppendFiles(fmt.Append(nil, model, torn, cuts)))
	if p.tried[key] {
		return nil
	}
	p.tried[key] = true
	after, err := appendName("next")(before)
	if torn {
		after = before
	} else if err != nil {
		return err
	}
	type cut struct {
		found *simfs.World
		model simfs.Model
	}
	var again []cut
	update := func(files fsys.FS) error {
		doc, err := openSimulated(files, p.opts)
		if err != nil {
			return err
		}
		defer doc.Close()
		_, err = doc.Update(context.Background(), appendName("next"))
		if torn && errors.Is(err, ErrInvalid) {
			_, _, err = doc.Sweep(context.Background())
		}
		return err
	}
	err = found.Sequentially("next", update, func() error {
		if cuts == 0 {
			return nil
		}
		for _, then := range p.models() {
			err := found.AfterPowerCut(then, func(w *simfs.World) error {
				again = append(again, cut{w, max(model, then)})
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the next writer, on %q: %w", before, err)
	}
	if got := found.Content(simulated); !bytes.Equal(got, after) {
		return fmt.Errorf("the next writer made %q of %q", got, before)
	}
	if model == simfs.Weak {
		if err := found.Sequentially("sweep", sweepSimulated, nil); err != nil {
			return err
		}
		if got := found.Content(simulated); !bytes.Equal(got, after) {
			return fmt.Errorf("a sweep made %q of %q", got, after)
		}
	}
	left := slices.DeleteFunc(litter(found), func(name string) bool {
		// Whether it is ours and broken or another program's cannot be told.
		_, digits, _ := names.Temporary(filepath.Base(name))
		return p.mayTear() && len(digits) == names.GuardedDigits
	})
	// What a broken document may have lost is in one of these.
	if len(left) > 0 && !torn {
		return fmt.Errorf("the next writer left %q", left)
	}
	for _, c := range again {
		content := c.found.Content(simulated)
		whole := bytes.Equal(content, before) && (content == nil) == (before == nil) ||
			bytes.Equal(content, after)
		if !whole && !p.mayTear() {
			return fmt.Errorf("the power is cut again: %q became %q", before, content)
		}
		if err := p.recover(c.found, c.model, torn || !whole, cuts-1); err != nil {
			return fmt.Errorf("the power is cut again: %w", err)
		}
	}
	return nil
}

// TestPowerCuts: each level of durability keeps what it promises, no less, and where it
// promises less than the one before it, that is because less can be kept: the states
// that it excuses are really there.
func TestPowerCuts(t *testing.T) {
	needsSlashes(t)
	const started = `["start"]`
	scenarios := []struct {
		name   string
		start  string
		writes []write
		large  bool
	}{
		{"an update", started, []write{appending}, false},
		{"a first update", "", []write{appending}, false},
		{"a creation", "", []write{creating}, false},
		{"a deletion", started, []write{deleting}, false},
		{"two updates", started, []write{appending, appending}, false},
		{"an update and a deletion", started, []write{appending, deleting}, false},
		{"two creations", "", []write{creating, creating}, false},
		{"a creation and a deletion", "", []write{creating, deleting}, false},
		{"two that see to one thing", started, []write{ensuring, ensuring}, false},
		{"one that sees to what a volatile one did", started, []write{ensuring, sloppy}, false},
		{"one that sees to it beside a volatile and a durable one", started,
			[]write{ensuring, sloppy, ensuring}, true},
		{"three updates", started, []write{appending, appending, appending}, true},
		{"two updates and a deletion", started, []write{appending, appending, deleting}, true},
	}
	for _, s := range scenarios {
		for _, durability := range []Durability{Durable, Ordered, Volatile} {
			for i, mode := range []Options{{}, {Versions: VersionMtime}, {Locking: true},
				{GuardForeign: true}, {KeepLast: true}, {}, {GuardForeign: true}, {KeepLast: true},
				{KeepLast: true, GuardForeign: true}} {
				mode.Durability = durability
				journal := i >= 5
				name := fmt.Sprintf("%s %v %v locking=%v guard=%v journal=%v",
					s.name, durability, mode.Versions, mode.Locking, mode.GuardForeign, journal)
				if mode.KeepLast {
					name += " kept"
				}
				t.Run(name, func(t *testing.T) {
					// A guard's intent doubles the number of changes that may be lost.
					large := s.large || (mode.GuardForeign || mode.KeepLast) && !journal &&
						durability == Volatile && s.name == "two updates"
					skipLong(t, large)
					skipUnderRaceDetector(t)
					t.Parallel()
					start := time.Now()
					p := &powerCuts{opts: mode, writes: s.writes, start: s.start,
						journal: journal, tried: map[string]bool{}}
					cutPower(t, p, p.setup)
					t.Logf("%d found, %d torn, %d without what was acknowledged, %d with the "+
						"version before, %.2f s", p.states, p.torn, p.lost, p.kept,
						time.Since(start).Seconds())
					if mode.KeepLast && s.start != "" && p.kept == 0 && !p.mayTear() {
						t.Error("the version before was never there")
					}
					writes := slices.ContainsFunc(s.writes,
						func(w write) bool { return w != deleting })
					if durability != Durable && p.lost == 0 {
						t.Errorf("%v never lost an acknowledged update: this test does not "+
							"see what it should", durability)
					}
					if durability == Volatile && writes && p.torn == 0 {
						t.Error("volatile never left a torn document: this test does not see " +
							"what it should")
					}
				})
			}
		}
	}
}

// TestBrokenDevice: a device fails at any moment, and then the power. Whoever was told that
// all is well has its version, though only one of those whose flushes fail is told so by
// the system.
func TestBrokenDevice(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	const started = `["start"]`
	for name, writes := range map[string][]write{
		"two updates":                {appending, appending},
		"an update and a deletion":   {appending, deleting},
		"two that see to one thing":  {ensuring, ensuring},
		"an update and a keep of it": {ensuring, sloppy},
	} {
		for order, mode := range map[string]Options{"one journal": {},
			"portable": {FlushOrder: PortableOrder}} {
			t.Run(name+", "+order, func(t *testing.T) {
				t.Parallel()
				p := &powerCuts{opts: mode, writes: writes, start: started, journal: true,
					breaks: true, tried: map[string]bool{}}
				cutPower(t, p, p.setup)
			})
		}
	}
}

func cutPower(
	t *testing.T, p *powerCuts, setup func(*simfs.World) (check func() error,
		cut func(*simfs.World) error),
) {
	t.Helper()
	var cut func(*simfs.World) error
	e := simfs.Explorer{
		Setup: func(w *simfs.World) (check func() error) {
			check, cut = setup(w)
			return check
		},
		OnState: func(w *simfs.World) error { return cut(w) },
	}
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d states, %d runs", e.States, e.Runs)
}
