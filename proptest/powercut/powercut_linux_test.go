package powercut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// tally sums up the results of some cuts.
type tally struct {
	cuts         int
	acknowledged int64
	torn         int // documents that no process wrote
	lost         int // counters and documents that lack an acknowledged update
	worst        int64
}

// experiment is a file system and the processes on it.
type experiment struct {
	*rig
	tally
	random   *rand.Rand
	opts     store.Options
	document string // a document with a counter for each of several processes
	procs    []*process
}

const counters, cyclers, keepers = 4, 2, 2

// start starts the processes from the present state of the documents.
func (x *experiment) start(hand kind) {
	x.t.Helper()
	add := func(j job, from int64) {
		p, err := j.start(from)
		if err != nil {
			x.t.Fatal(err)
		}
		x.procs = append(x.procs, p)
	}
	x.procs = nil
	add(job{Kind: flushing, File: filepath.Join(x.mount, "other")}, 0)
	if hand != "" {
		for i := range counters {
			file := filepath.Join(x.mount, fmt.Sprintf("hand%d.json", i))
			add(job{Kind: hand, File: file, Member: "n"}, x.counters(file)["n"])
		}
		return
	}
	for range keepers {
		add(job{Kind: keeping, File: filepath.Join(x.mount, "kept"), Opts: x.opts}, 0)
	}
	found := x.counters(x.document)
	for i := range counters + cyclers {
		opts := modes[i%len(modes)]
		opts.Durability, opts.FlushOrder = x.opts.Durability, x.opts.FlushOrder
		if i < counters {
			member := fmt.Sprint("w", i)
			add(job{Kind: counting, File: x.document, Member: member, Opts: opts}, found[member])
			continue
		}
		file := filepath.Join(x.mount, fmt.Sprintf("cycle%d.json", i))
		at, _ := x.cycleAt(file)
		add(job{Kind: cycling, File: file, Opts: opts}, at)
	}
}

// counters reads a document; one that is not whole counts as torn and is removed.
func (x *experiment) counters(file string) map[string]int64 {
	x.t.Helper()
	found := map[string]int64{}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return found
	}
	if err != nil {
		x.t.Fatal(err)
	}
	if err := json.Unmarshal(data, &found); err != nil {
		x.torn++
		x.complain("%s is torn: %.60q", filepath.Base(file), data)
		_ = os.Remove(file)
		return nil
	}
	return found
}

// cycleAt returns the number in the document of a cycling process.
func (x *experiment) cycleAt(file string) (n int64, exists bool) {
	x.t.Helper()
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false
	}
	if err == nil {
		n, err = strconv.ParseInt(string(data), 10, 64)
	}
	if err != nil {
		x.torn++
		x.complain("%s is torn: %.60q", filepath.Base(file), data)
		_ = os.Remove(file)
	}
	return n, true
}

func (x *experiment) complain(format string, args ...any) {
	x.t.Helper()
	if x.opts.Durability == store.Durable || x.opts.Durability == store.Ordered &&
		strings.Contains(format, "torn") {
		x.t.Errorf("cut %d: %s", x.cuts, fmt.Sprintf(format, args...))
	}
}

// cutOnce lets the processes run for a short time, cuts the power, and checks what is left.
func (x *experiment) cutOnce(hand kind) {
	x.t.Helper()
	x.start(hand)
	before := x.cutOff()
	shared := map[string]int64{}
	if hand == "" {
		shared = x.counters(x.document)
	}
	for i, p := range x.procs {
		if p.Kind != flushing {
			x.acknowledged += before[i] - p.from
			x.look(p, before[i], shared)
		}
	}
	if hand == "" {
		x.goOn()
	}
}

// cutOff cuts the power at a random moment after a process has begun, and mounts what is left. It
// returns what each process had been acknowledged.
func (x *experiment) cutOff() (before []int64) {
	x.t.Helper()
	for deadline := time.Now().Add(time.Minute); !slices.ContainsFunc(x.procs,
		func(p *process) bool { return p.progressed() }); {
		if time.Now().After(deadline) {
			x.t.Fatal("no process gets anything done")
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(x.random.IntN(40_000)) * time.Microsecond)
	// An update was acknowledged before the cut only if we had read its line before the cut.
	before = make([]int64, len(x.procs))
	for i, p := range x.procs {
		before[i] = p.acknowledged.Load()
	}
	x.cut()
	for _, p := range x.procs {
		p.kill()
	}
	x.cuts++
	x.restart()
	return before
}

// look compares the acknowledged updates of a process with its document.
func (x *experiment) look(p *process, acknowledged int64, shared map[string]int64) {
	x.t.Helper()
	lost := func(missing int64, format string, args ...any) {
		x.lost++
		x.worst = max(x.worst, missing)
		x.complain(format, args...)
	}
	switch p.Kind {
	case keeping:
		for n := range acknowledged {
			data, err := os.ReadFile(keptFile(p.File, int(n)+1))
			if err != nil || !bytes.Equal(data, kept(int(n)+1)) {
				lost(1, "kept document %d of %d is %.60q: %v", n+1, acknowledged, data, err)
			}
		}
	case cycling:
		n, exists := x.cycleAt(p.File)
		if !exists {
			// This is the last step that it can be: only even steps delete.
			n = p.begun.Load() / 2 * 2
		}
		if n < acknowledged || n > p.begun.Load() {
			lost(acknowledged-n, "%s is at step %d (it exists: %v), acknowledged was %d, begun %d",
				p.File, n, exists, acknowledged, p.begun.Load())
		}
	default:
		if p.Kind != counting {
			shared = x.counters(p.File)
		}
		if shared == nil {
			return // already counted as torn
		}
		if n := shared[p.Member]; n < acknowledged || n > p.acknowledged.Load()+1 {
			lost(acknowledged-n, "%s of %s is %d, acknowledged was %d, and %d after the cut",
				p.Member, p.File, n, acknowledged, p.acknowledged.Load())
		}
	}
}

// goOn checks the time after a cut: the next writer can update each document, and leaves no
// litter. On btrfs a flush can make one new name durable and not another, so that a guard's
// file may exist without its intent. It stays until a sweep reads the directory.
func (x *experiment) goOn() {
	x.t.Helper()
	for _, p := range x.procs {
		if p.Kind == keeping {
			x.removeKept(p.File)
		}
		if p.Kind == flushing || p.Kind == keeping {
			continue
		}
		doc, err := store.OpenFile(p.File, &x.opts)
		if err == nil && p.Kind == counting {
			_, _, err = doc.Add(context.Background(), "after", 1)
		}
		if err == nil && (p.Kind != counting || x.kind == "btrfs") {
			_, _, err = doc.Sweep(context.Background())
		}
		if err != nil {
			x.t.Errorf("cut %d: the next writer: %v", x.cuts, err)
		}
		doc.Close()
	}
	entries, err := os.ReadDir(x.mount)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".tmp") && x.opts.Durability != store.Volatile {
			x.t.Errorf("cut %d: litter: %s", x.cuts, entry.Name())
		}
	}
}

// removeKept removes the documents of the keeping processes, which begin anew after each cut.
func (x *experiment) removeKept(prefix string) {
	x.t.Helper()
	dir, base := filepath.Split(prefix)
	for _, pattern := range []string{base + "*", "." + base + "*"} {
		made, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			x.t.Fatal(err)
		}
		for _, name := range made {
			if err := os.Remove(name); err != nil {
				x.t.Error(err)
			}
		}
	}
}

func newExperiment(t *testing.T, system string, durability store.Durability) *experiment {
	seed := number(t, "JSONSTORE_SEED", uint64(time.Now().UnixNano()))
	t.Logf("seed %d", seed)
	r := newRig(t, system)
	return &experiment{rig: r, random: rand.New(rand.NewPCG(seed, 0)),
		opts:     store.Options{Durability: durability, FlushOrder: flushOrder(t)},
		document: filepath.Join(r.mount, "counters.json")}
}

// TestPowerCuts: after a power cut every acknowledged durable update is there, and no ordered
// document is torn. The test logs what happened to volatile ones. JSONSTORE_CUTS is the number
// of cuts, and JSONSTORE_CUT_ORDER the flush sequence, by default that of the file system.
func TestPowerCuts(t *testing.T) {
	cuts := number(t, "JSONSTORE_CUTS", 3)
	for _, system := range fileSystems("ext4") {
		for _, durability := range []store.Durability{store.Durable, store.Ordered,
			store.Volatile} {
			t.Run(system+" "+durability.String(), func(t *testing.T) {
				x := newExperiment(t, system, durability)
				start := time.Now()
				for range cuts {
					x.cutOnce("")
				}
				x.report(start)
			})
		}
	}
}

func (x *experiment) report(start time.Time) {
	x.t.Logf("%d cuts, %d acknowledged, %d torn, %d times without what was acknowledged (%d "+
		"updates at the most), %.0f s",
		x.cuts, x.acknowledged, x.torn, x.lost, x.worst, time.Since(start).Seconds())
}

// TestWritersByHand: the updates of programs that leave out a flush do not survive. So the rig
// would notice if the store left one out. The test needs many cuts and runs if JSONSTORE_CUTS
// is set.
func TestWritersByHand(t *testing.T) {
	cuts := number(t, "JSONSTORE_CUTS", 0)
	if cuts == 0 {
		t.Skip("takes a hundred cuts: set JSONSTORE_CUTS=100")
	}
	for _, system := range fileSystems("ext4") {
		for _, hand := range []struct {
			kind kind
			name string
		}{{byHand, "without a flush of the file"}, {noDir, "without a flush of the directory"}} {
			t.Run(system+" "+hand.name, func(t *testing.T) {
				x := newExperiment(t, system, store.Volatile) // of which no loss is an error
				start := time.Now()
				for range cuts {
					x.cutOnce(hand.kind)
				}
				x.report(start)
				if x.torn == 0 && x.lost == 0 && cuts >= 100 {
					t.Error("no document was torn and no update lost: the rig does not notice " +
						"losses")
				}
			})
		}
	}
}
