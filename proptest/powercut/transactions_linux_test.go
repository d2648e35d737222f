// Power cuts while processes make transactions.

package powercut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// group is some documents in two directories and the processes on them.
type group struct {
	kind kind
	keys []string
}

// groups has two and three documents that are written together, and one that is moved from one
// directory to the other.
var groups = []group{
	{transacting, []string{"x/two", "y/two"}},
	{transacting, []string{"y/a", "x/three", "y/three"}},
	{moving, []string{"x/moves", "x/here", "y/there"}},
}

// alone is the member that a process increments in the first document of each group of
// transacting processes by itself.
const alone = "alone"

// transactions is an experiment with transactions.
type transactions struct {
	*experiment
	half    int // groups that were found half changed
	intents int // cuts that left intents
}

// TestTransactionCuts: after a power cut each durable or ordered transaction is in all of its
// documents or in none, every acknowledged durable one is there, and the next writer goes on and
// leaves nothing behind. Some cuts are followed by another, in the midst of the recovery or as soon
// as it is over. The settings are those of TestPowerCuts.
func TestTransactionCuts(t *testing.T) {
	cuts := number(t, "JSONSTORE_CUTS", 3)
	for _, system := range fileSystems("ext4") {
		for _, durability := range []store.Durability{store.Durable, store.Ordered,
			store.Volatile} {
			t.Run(system+" "+durability.String(), func(t *testing.T) {
				x := &transactions{experiment: newExperiment(t, system, durability)}
				for _, dir := range []string{"x", "y"} {
					if err := os.Mkdir(filepath.Join(x.mount, dir), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				if err := syncDir(x.mount); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				for range cuts {
					x.cutOnce()
				}
				x.report(start)
				t.Logf("%d groups of documents were half changed; %d cuts left intents", x.half,
					x.intents)
			})
		}
	}
}

func (x *transactions) start() {
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
	for i, g := range groups {
		file := x.file(g.keys[0])
		found := x.counters(file)
		for n := range 3 {
			opts := modes[(i+n)%len(modes)]
			opts.Durability, opts.FlushOrder = x.opts.Durability, x.opts.FlushOrder
			j := job{Kind: g.kind, File: x.mount, Member: fmt.Sprint("w", n), Opts: opts,
				Keys: g.keys}
			switch {
			case g.kind == moving && n > 0:
				continue
			case g.kind == moving:
				j.Member = "n"
			case n == 1:
				j.Single = true
			case n == 2:
				j = job{Kind: counting, File: file, Member: alone, Opts: opts}
			}
			add(j, found[j.Member])
		}
	}
}

func (x *transactions) file(key string) string { return filepath.Join(x.mount, key+".json") }

// verdict is what a cut has done, however often that was found.
type verdict struct {
	torn map[string]bool    // by document
	half map[string]bool    // by the first document of the group
	lost map[*process]int64 // how many acknowledged updates
}

func (x *transactions) cutOnce() {
	x.t.Helper()
	x.start()
	before := x.cutOff()
	v := verdict{map[string]bool{}, map[string]bool{}, map[*process]int64{}}
	if left, _ := filepath.Glob(filepath.Join(x.mount, "*/.*.tx")); len(left) > 0 {
		x.intents++
	}
	if x.random.IntN(3) == 0 {
		x.cutRecovery()
	}
	x.lookAndGoOn(before, v, "")
	if x.opts.Durability != store.Volatile && x.random.IntN(4) == 0 {
		x.cut()
		x.cuts++
		x.restart()
		x.lookAndGoOn(before, v, "after another cut ")
	}
	for i, p := range x.procs {
		if p.Kind != flushing {
			x.acknowledged += before[i] - p.from
		}
	}
	x.torn += len(v.torn)
	x.half += len(v.half)
	x.lost += len(v.lost)
	for _, missing := range v.lost {
		x.worst = max(x.worst, missing)
	}
}

// cutRecovery cuts the power again while a process finishes what the last cut has left.
func (x *transactions) cutRecovery() {
	x.t.Helper()
	j := job{Kind: finishing, File: x.mount, Opts: x.opts}
	for _, g := range groups {
		j.Keys = append(j.Keys, g.keys...)
	}
	p, err := j.start(0)
	if err != nil {
		x.t.Fatal(err)
	}
	time.Sleep(time.Duration(x.random.IntN(30_000)) * time.Microsecond)
	x.cut()
	p.kill()
	x.cuts++
	x.restart()
}

// lookAndGoOn looks at all documents: two times in three as readers see them before anybody has
// written, and always as the next writer leaves them in the files.
func (x *transactions) lookAndGoOn(before []int64, v verdict, when string) {
	x.t.Helper()
	db, err := store.Open(x.mount, &x.opts)
	if err != nil {
		x.t.Fatal(err)
	}
	defer db.Close()
	if x.random.IntN(3) > 0 {
		x.look(before, v, when+"in a view", x.view(db))
	}
	x.goOn(db)
	x.look(before, v, when+"in the files", x.files())
	if x.opts.Durability == store.Volatile {
		x.removeAll()
	}
}

// view reads the documents of each group at one moment, by the store.
func (x *transactions) view(db *store.DB) map[string]string {
	x.t.Helper()
	all := map[string]string{}
	for _, g := range groups {
		found := map[string]string{}
		err := db.View(context.Background(), func(tx *store.Tx) error {
			clear(found)
			for _, key := range g.keys {
				data, _, err := tx.Read(tx.Doc(key))
				if err == nil || errors.Is(err, store.ErrInvalid) {
					found[key] = string(data)
				} else if !errors.Is(err, store.ErrNotExist) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			x.t.Errorf("cut %d: a view: %v", x.cuts, err)
		}
		maps.Copy(all, found)
	}
	return all
}

// files reads all documents as any program does.
func (x *transactions) files() map[string]string {
	x.t.Helper()
	found := map[string]string{}
	for _, g := range groups {
		for _, key := range g.keys {
			data, err := os.ReadFile(x.file(key))
			if err == nil {
				found[key] = string(data)
			} else if !errors.Is(err, fs.ErrNotExist) {
				x.t.Errorf("cut %d: %v", x.cuts, err)
			}
		}
	}
	return found
}

// look compares what was found with what each process was acknowledged.
func (x *transactions) look(
	before []int64, v verdict, where string, found map[string]string,
) {
	x.t.Helper()
	complain := func(format string, args ...any) {
		x.t.Helper()
		x.t.Errorf("cut %d, %s: %s", x.cuts, where, fmt.Sprintf(format, args...))
	}
	promised := x.opts.Durability != store.Volatile
	for _, g := range groups {
		counted, torn := g.count(found)
		for _, key := range torn {
			v.torn[key] = true
			if promised {
				complain("%s is torn: %.60q", key, found[key])
			}
		}
		if len(torn) > 0 {
			continue
		}
		if !g.isWhole(counted, found) {
			v.half[g.keys[0]] = true
			if promised {
				complain("half changed: %.600q", found)
			}
		}
		for i, p := range x.procs {
			if p.Kind == flushing || x.home(p) != g.keys[0] {
				continue
			}
			n := counted[g.keys[0]][p.Member]
			if last := p.acknowledged.Load(); n > last+1 {
				complain("%s of %s is %d, and at last %d was acknowledged", p.Member, g.keys[0], n,
					last)
			}
			if n < before[i] {
				v.lost[p] = max(v.lost[p], before[i]-n)
				if x.opts.Durability == store.Durable {
					complain("%s of %s is %d, acknowledged was %d", p.Member, g.keys[0], n,
						before[i])
				}
			}
		}
	}
}

// count returns the numbers in each document, and which documents are no JSON.
func (g group) count(found map[string]string) (
	counted map[string]map[string]int64, torn []string,
) {
	counted = map[string]map[string]int64{}
	for _, key := range g.keys {
		data, there := found[key]
		if !there {
			continue
		}
		var members map[string]any
		if json.Unmarshal([]byte(data), &members) != nil {
			torn = append(torn, key)
		}
		counted[key] = map[string]int64{}
		for member, value := range members {
			if n, ok := value.(float64); ok {
				counted[key][member] = int64(n)
			}
		}
	}
	return counted, torn
}

// home is the first document of the group of a process.
func (x *transactions) home(p *process) string {
	if p.Keys != nil {
		return p.Keys[0]
	}
	key, _ := filepath.Rel(x.mount, strings.TrimSuffix(p.File, ".json"))
	return key
}

// isWhole reports whether every transaction is in all documents of the group or in none.
func (g group) isWhole(counted map[string]map[string]int64, found map[string]string) bool {
	if g.kind == moving {
		n := int(counted[g.keys[0]]["n"])
		want := map[string]string{}
		if n > 0 {
			want[g.keys[1+n%2]] = string(moved(n))
		}
		for _, key := range g.keys[1:] {
			if data, there := found[key]; there != (want[key] != "") || data != want[key] {
				return false
			}
		}
		return true
	}
	first := maps.Clone(counted[g.keys[0]])
	delete(first, alone)
	for _, key := range g.keys[1:] {
		if !maps.Equal(first, counted[key]) {
			return false
		}
	}
	return true
}

// goOn is the next writer: it can update each document, and leaves no litter.
func (x *transactions) goOn(db *store.DB) {
	x.t.Helper()
	ctx := context.Background()
	for _, g := range groups {
		for _, key := range g.keys {
			doc := db.Doc(key)
			_, err := doc.Update(ctx, func(old []byte) ([]byte, error) { return old, nil })
			if err == nil || errors.Is(err, store.ErrInvalid) {
				_, _, err = doc.Sweep(ctx)
			}
			if err != nil {
				x.t.Errorf("cut %d: the next writer of %s: %v", x.cuts, key, err)
			}
		}
	}
	if x.opts.Durability == store.Volatile {
		return
	}
	for _, pattern := range []string{"*/.*.tmp", "*/.*.tx"} {
		litter, err := filepath.Glob(filepath.Join(x.mount, pattern))
		if err != nil || len(litter) > 0 {
			x.t.Errorf("cut %d: litter: %q, %v", x.cuts, litter, err)
		}
	}
}

// removeAll removes the documents, since those of volatile transactions may be torn, or not fit
// each other.
func (x *transactions) removeAll() {
	x.t.Helper()
	for _, g := range groups {
		for _, key := range g.keys {
			if err := os.Remove(x.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				x.t.Error(err)
			}
		}
	}
	for _, dir := range []string{"x", "y"} { // or the next cut could bring them back
		if err := syncDir(filepath.Join(x.mount, dir)); err != nil {
			x.t.Error(err)
		}
	}
}
