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

// tally is what was seen in some cuts.
type tally struct {
	cuts         int
	acknowledged int64
	torn         int // documents that nobody wrote
	lost         int // counters, or created or deleted documents, of which something acknowledged was missing
	worst        int64
}

// experiment is a file system and what runs on it.
type experiment struct {
	*rig
	tally
	random   *rand.Rand
	opts     store.Options
	document string // that several processes count up, each its member
	procs    []*process
}

const counters, cyclers, keepers = 4, 2, 2

// start starts the processes from what is there.
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
	if x.opts.Durability == store.Durable || x.opts.Durability == store.Ordered && strings.Contains(format, "torn") {
		x.t.Errorf("cut %d: %s", x.cuts, fmt.Sprintf(format, args...))
	}
}

// cutOnce lets the processes run for a moment, cuts the power, and looks at what is left.
func (x *experiment) cutOnce(hand kind) {
	x.t.Helper()
	x.start(hand)
	// That all have begun is waited for; the moment of the cut is a matter of chance.
	for deadline := time.Now().Add(time.Minute); !slices.ContainsFunc(x.procs, func(p *process) bool { return p.progressed() }); {
		if time.Now().After(deadline) {
			x.t.Fatal("no process gets anything done")
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(x.random.IntN(40_000)) * time.Microsecond)
	// Only what we had read before the cut was acknowledged before the cut.
	before := make([]int64, len(x.procs))
	for i, p := range x.procs {
		before[i] = p.acknowledged.Load()
	}
	x.cut()
	for _, p := range x.procs {
		p.kill()
	}
	x.cuts++
	x.restart()
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

// look compares what a process was acknowledged with what is found.
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
			// The last step that this can be: none but an even one deletes.
			n = p.begun.Load() / 2 * 2
		}
		if n < acknowledged || n > p.begun.Load() {
			lost(acknowledged-n, "%s is at step %d (it exists: %v), acknowledged was %d, begun %d", p.File, n, exists, acknowledged, p.begun.Load())
		}
	default:
		if p.Kind != counting {
			shared = x.counters(p.File)
		}
		if shared == nil {
			return // torn, and counted as that
		}
		if n := shared[p.Member]; n < acknowledged || n > p.acknowledged.Load()+1 {
			lost(acknowledged-n, "%s of %s is %d, acknowledged was %d, and %d after the cut", p.Member, p.File, n, acknowledged, p.acknowledged.Load())
		}
	}
}

// goOn is what comes after: the next writer updates each document, and there is no litter. On
// btrfs a flush can make one new name durable and not another: a guard's file may be there
// without its intent, and is left to those who read the directory.
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

// removeKept removes what those who keep have made: each time they begin anew.
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
	return &experiment{rig: r, random: rand.New(rand.NewPCG(seed, 0)), opts: store.Options{Durability: durability, FlushOrder: flushOrder(t)},
		document: filepath.Join(r.mount, "counters.json")}
}

// TestPowerCuts: after a power cut every acknowledged update is there in durable, no document is torn in
// ordered, and what becomes of volatile ones is told. JSONSTORE_CUTS is how often the power is cut,
// JSONSTORE_CUT_ORDER the order of flushes, if not the one that the file system gets.
func TestPowerCuts(t *testing.T) {
	cuts := number(t, "JSONSTORE_CUTS", 3)
	for _, system := range fileSystems("ext4") {
		for _, durability := range []store.Durability{store.Durable, store.Ordered, store.Volatile} {
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
	x.t.Logf("%d cuts, %d acknowledged, %d torn, %d times without what was acknowledged (%d updates at the most), %.0f s",
		x.cuts, x.acknowledged, x.torn, x.lost, x.worst, time.Since(start).Seconds())
}

// TestWritersByHand: what programs write that leave out a flush does not survive, which shows that the rig
// would notice if the store left one out. It takes some cuts: it is for JSONSTORE_CUTS.
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
				x := newExperiment(t, system, store.Volatile) // complains of nothing
				start := time.Now()
				for range cuts {
					x.cutOnce(hand.kind)
				}
				x.report(start)
				if x.torn == 0 && x.lost == 0 && cuts >= 100 {
					t.Error("nothing was torn and nothing lost: the rig does not see what it should")
				}
			})
		}
	}
}
