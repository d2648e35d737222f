package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
	"github.com/jsonstore/jsonstore/store"
)

// fault is a fault of one call, or of it and all after it.
type fault struct {
	simfs.Fault
	forGood bool
	only    string // the beginning of the operations that it is for, or empty
}

var faults = map[string]fault{
	"fails":        {simfs.Fault{Err: syscall.EIO}, false, ""},
	"happens":      {simfs.Fault{Err: syscall.EIO, After: true}, false, ""},
	"half a write": {simfs.Fault{Err: syscall.ENOSPC, Short: true}, false, "write"},
	"a full disk":  {simfs.Fault{Err: syscall.ENOSPC, Short: true}, true, "write"},
	"a full disk, 2": {
		simfs.Fault{Err: syscall.ENOSPC},
		true,
		"create|open append|open lock|rename|write",
	},
	"all fail": {simfs.Fault{Err: syscall.EIO}, true, ""},
}

func (f fault) is(op string) bool {
	if f.only == "" {
		return op != "close" // a failed close has closed the file, and is ignored
	}
	return slices.Contains(strings.Split(f.only, "|"), op)
}

// faulty is a run with a fault at one call.
type faulty struct {
	fault
	at         int
	durability store.Durability
	torn       bool // the live file has a torn tail at the beginning

	calls   int
	struck  string // the operation that failed first
	told    map[string]outcome
	order   []string
	open    int64
	process *simfs.Process
}

// outcome is what an append was told about a value.
type outcome struct {
	seq uint64 // 0 if it was not acknowledged
	err error
}

func (f *faulty) inject(op, name string) simfs.Fault {
	if !f.is(op) {
		return simfs.Fault{}
	}
	f.calls++
	if f.calls-1 == f.at || f.forGood && f.calls > f.at {
		if f.struck == "" {
			f.struck = op + " " + name
		}
		return f.Fault
	}
	return simfs.Fault{}
}

func (f *faulty) run(files fsys.FS) error {
	f.process = files.(*simfs.Process)
	in := &simfs.Faulty{FS: files, Inject: f.inject}
	opts := Options{Durability: f.durability, MaxBytes: 20}
	j, err := openSimulated(in, opts)
	if err != nil {
		return err
	}
	ctx := context.Background()
	for _, values := range [][]string{{`"a0"`, `"a1"`}, {`"b"`}, {`"c0"`, `"c1"`, `"c2"`}, {`"d"`}} {
		var data [][]byte
		for _, v := range values {
			data = append(data, []byte(v))
		}
		first, n, err := j.AppendAll(ctx, data...)
		if err == nil && n != len(values) {
			return fmt.Errorf("%d of %d without an error", n, len(values))
		}
		for i, v := range values {
			f.order = append(f.order, v)
			f.told[v] = outcome{err: err}
			if i < n {
				f.told[v] = outcome{first + uint64(i), err}
			}
		}
		if values[0] == `"b"` {
			_, _ = j.Rotate(ctx)
		}
	}
	_ = j.Close()
	f.open = in.Opened.Load()
	return nil
}

// TestFaults: each call fails, before and after its effect, half done, once, and with all
// calls after it. Nothing that was acknowledged is lost, nobody is told that a record is
// absent that is there, no line is broken, and no file stays open.
func TestFaults(t *testing.T) {
	needsSimulation(t)
	count, byOp := 0, map[string]int{}
	for name, kind := range faults {
		for _, durability := range durabilities {
			for _, torn := range []bool{false, true} {
				for at := 0; ; at++ {
					f := &faulty{fault: kind, at: at, durability: durability, torn: torn,
						told: map[string]outcome{}}
					if err := f.try(); err != nil {
						t.Fatalf("%s at call %d (%s), %v, torn %v: %v\n%v", name, at, f.struck,
							durability, torn, err, f.told)
					}
					if f.calls <= at {
						break
					}
					count++
					op, _, _ := strings.Cut(f.struck, " /")
					byOp[op]++
				}
			}
		}
	}
	t.Logf("%d faults: %v", count, byOp)
	for _, op := range []string{"write", "truncate", "sync", "syncdir", "rename new", "rename",
		"open append",
		"create", "remove", "readdir", "stat"} {
		if byOp[op] == 0 {
			t.Errorf("no fault of %s", op)
		}
	}
}

func (f *faulty) try() error {
	w := simfs.New()
	w.Quiet = func(string, string) bool { return true }
	w.Put(names.Lock(simulatedPath), "")
	if f.torn {
		w.Put(simulatedPath, "\"x\"\n\"to")
	}
	if err := w.Sequentially("faulty", f.run, nil); err != nil {
		return err
	}
	if strings.HasPrefix(f.struck, "write ") && !f.forGood && !f.torn {
		for _, name := range w.Names() {
			if strings.HasSuffix(name, tornSuffix) {
				return fmt.Errorf("%s: half a line was left to the next append", name)
			}
		}
	}
	switch {
	case f.open != 0:
		return fmt.Errorf("%d files are open", f.open)
	case f.calls <= f.at:
		for v, o := range f.told {
			if o.err != nil {
				return fmt.Errorf("%s without a fault: %w", v, o.err)
			}
		}
	}
	if f.durability == store.Durable {
		for _, model := range []simfs.Model{simfs.Ordered, simfs.Weak} {
			err := w.AfterPowerCut(model, func(found *simfs.World) error {
				return f.judge(found, true)
			})
			if err != nil && !errors.Is(err, simfs.ErrTooMany) {
				return fmt.Errorf("after a power cut, in the %v model: %w", model, err)
			}
		}
	}
	return f.judge(w, false)
}

// notDurable reports whether all records that cannot be read were told to be not durable.
func (f *faulty) notDurable(bad *CorruptError) bool {
	for seq := bad.First; seq <= bad.Last; seq++ {
		told := false
		for _, o := range f.told {
			told = told || o.seq == seq && errors.Is(o.err, store.ErrNotDurable)
		}
		if !told {
			return false
		}
	}
	return true
}

// judge lets a process without faults append, and compares what it finds with what was
// told.
func (f *faulty) judge(w *simfs.World, cut bool) error {
	found := map[string][]uint64{}
	var last uint64
	err := w.Sequentially("next", func(files fsys.FS) error {
		return withSimulated(files, Options{Plain: true}, func(j *Journal) error {
			seq, err := j.Append(context.Background(), []byte(`"next"`))
			if err != nil {
				return fmt.Errorf("the next process: %w", err)
			}
			for r, err := range j.Records(context.Background(), 1) {
				var bad *CorruptError
				if cut && errors.As(err, &bad) && f.notDurable(bad) {
					last = bad.Last
					continue
				}
				if err != nil {
					return fmt.Errorf("found afterwards: %w", err)
				}
				if last++; r.Seq != last {
					return fmt.Errorf("record %d after %d", r.Seq, last-1)
				}
				found[string(r.Value)] = append(found[string(r.Value)], r.Seq)
			}
			if seq != last {
				return fmt.Errorf("the next process appended %d, and the last one is %d", seq, last)
			}
			return nil
		})
	}, nil)
	if err != nil {
		return err
	}
	before := uint64(0)
	for _, v := range f.order {
		o, at := f.told[v], found[v]
		switch {
		case len(at) > 1:
			return fmt.Errorf("%s is there twice, at %d", v, at)
		case len(at) == 1 && at[0] < before:
			return fmt.Errorf("%s is at %d, behind what came later", v, at[0])
		case o.seq != 0 && o.err == nil && (len(at) == 0 || at[0] != o.seq):
			return fmt.Errorf("%s was acknowledged as %d, and is at %d", v, o.seq, at)
		case o.seq != 0 && !cut && (len(at) == 0 || at[0] != o.seq):
			return fmt.Errorf("%s was told to be %d (%v), and is at %d", v, o.seq, o.err, at)
		case o.seq == 0 && len(at) > 0 && !errors.Is(o.err, store.ErrUnknown):
			return fmt.Errorf("%s was told not to be there (%v), and is at %d", v, o.err, at)
		case o.err != nil && !errors.Is(o.err, f.Err):
			return fmt.Errorf("%s: a wrong error: %w", v, o.err)
		case o.err != nil && o.seq != 0 && errors.Is(o.err, fs.ErrNotExist):
			return o.err
		}
		if len(at) == 1 {
			before = at[0]
		}
	}
	return nil
}
