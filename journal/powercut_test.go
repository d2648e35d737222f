package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
	"github.com/jsonstore/jsonstore/store"
)

// powerCuts is what was seen at the power cuts of one scene.
type powerCuts struct {
	scene      scene
	durability store.Durability
	tried      map[string]bool // what the next process went on from

	cut                func(w *simfs.World) error
	states, lost, gaps int
}

func (p *powerCuts) setup(w *simfs.World) (check func() error) {
	check = p.scene.setup(w)
	told, after := p.scene.said, check
	w.Quiet = func(op, name string) bool {
		switch {
		case name == names.Lock(simulatedPath), op == "stat", op == "lstat", op == "readdir",
			op == "read", op == "open":
			return true
		}
		return false
	}
	p.cut = func(w *simfs.World) error {
		for _, model := range []simfs.Model{simfs.Ordered, simfs.Weak} {
			err := w.AfterPowerCut(model, func(found *simfs.World) error {
				return p.goOn(found, model, told, 1)
			})
			if err != nil {
				return fmt.Errorf("the power is cut here, in the %v model: %w", model, err)
			}
		}
		return nil
	}
	return after
}

// goOn lets the next process append to what was found, and cuts the power again at each
// moment of that. It must find what was acknowledged, whole and without a gap.
func (p *powerCuts) goOn(found *simfs.World, model simfs.Model, told *said, cuts int) error {
	var key strings.Builder
	fmt.Fprint(&key, cuts, len(told.acknowledged))
	for _, name := range found.Names() {
		fmt.Fprintf(&key, "|%s %q", name, found.Content(name))
	}
	if p.tried[key.String()] {
		return nil
	}
	p.tried[key.String()] = true
	p.states++
	if err := p.keepsTail(found); err != nil {
		return fmt.Errorf("%w (found: %s)", err, key.String())
	}
	again := func() error { return nil }
	if cuts > 0 {
		again = func() error {
			return found.AfterPowerCut(model, func(again *simfs.World) error {
				return p.goOn(again, model, told, cuts-1)
			})
		}
	}
	inside := told.acknowledged
	if p.durability != store.Durable {
		inside = map[uint64]string{}
	}
	var records []Record
	gap := false
	err := found.Sequentially("next", func(files fsys.FS) error {
		return withSimulated(files, Options{Plain: true}, func(j *Journal) error {
			seq, err := j.Append(context.Background(), []byte(`"next"`))
			if err != nil {
				return fmt.Errorf("the next process: %w", err)
			}
			for r, err := range j.Records(context.Background(), p.scene.from()) {
				lacks := errors.Is(err, ErrCorrupt) || errors.Is(err, ErrRemoved)
				if lacks && p.durability == store.Volatile {
					gap = true
					continue
				}
				if err != nil {
					return fmt.Errorf("found afterwards: %w", err)
				}
				records = append(records, r)
			}
			if gap {
				return nil
			}
			return isLast(records, seq)
		})
	}, again)
	if err != nil {
		return fmt.Errorf("%w (found: %s)", err, key.String())
	}
	if gap {
		p.gaps++
		return nil
	}
	// The process before, of which a second cut may have left the record, is no surprise.
	judged := &said{maps.Clone(inside), maps.Clone(told.begun), map[uint64]string{}}
	judged.begun[`"next"`] = true
	if err := judged.judge(records); err != nil {
		return fmt.Errorf("%w (found: %s)", err, key.String())
	}
	if len(records)-1 < len(told.acknowledged) {
		p.lost++
	}
	return nil
}

// keepsTail wants a torn tail to be where it was or in a file of its own: it was on the
// device.
func (p *powerCuts) keepsTail(found *simfs.World) error {
	start := p.scene.start
	tail := start[strings.LastIndexByte(start, '\n')+1:]
	if tail == "" || strings.HasPrefix(string(found.Content(simulatedPath)), start) {
		return nil
	}
	for _, name := range found.Names() {
		if strings.HasSuffix(name, tornSuffix) && string(found.Content(name)) == tail {
			return nil
		}
	}
	return fmt.Errorf("the torn tail %q is lost", tail)
}

// TestPowerCuts: at every moment of every order, with everything that a file system may
// keep or lose. Durable keeps what was acknowledged, Ordered has no gap; both that
// Ordered loses records and that Volatile has gaps does occur.
func TestPowerCuts(t *testing.T) {
	needsSimulation(t)
	const x = "\"x\"\n"
	scenes := map[string]scene{
		"two batches":      {appenders: make([]Options, 2), batch: true},
		"two, a torn tail": {appenders: make([]Options, 2), start: x + "\"to"},
		"one that rotates": {
			appenders: []Options{{MaxBytes: 6, Plain: true}},
			twice:     true,
			start:     x,
		},
		"two and a rotator": {
			appenders: make([]Options, 2),
			rotator:   &Options{Plain: true},
			start:     x,
		},
		"a rotator": {rotator: &Options{}, start: x},
		"a rotator that removes": {
			rotator:   &Options{Plain: true, Retention: Retention{Segments: 1}},
			appenders: []Options{{MaxBytes: 4, Plain: true}},
			start:     x,
		},
		"two and a death": {appenders: make([]Options, 2), deaths: 1},
	}
	for name, s := range scenes {
		for _, durability := range durabilities {
			t.Run(name+" "+durability.String(), func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				p := &powerCuts{scene: s, durability: durability, tried: map[string]bool{}}
				p.scene.appenders = nil
				for _, opts := range s.appenders {
					opts.Durability = durability
					p.scene.appenders = append(p.scene.appenders, opts)
				}
				if s.rotator != nil {
					rotator := *s.rotator
					rotator.Durability = durability
					p.scene.rotator = &rotator
				}
				e := simfs.Explorer{Deaths: s.deaths, Setup: p.setup,
					OnState: func(w *simfs.World) error { return p.cut(w) }}
				if err := e.Run(); err != nil {
					t.Fatal(err)
				}
				t.Logf(
					"%d states, %d found after a cut, %d without what was acknowledged, %d with "+
						"a gap, %.2f s",
					e.States,
					p.states,
					p.lost,
					p.gaps,
					time.Since(start).Seconds(),
				)
				if len(s.appenders) == 2 && durability != store.Durable && p.lost == 0 {
					t.Error("nothing was lost, though nothing was flushed")
				}
			})
		}
	}
}
