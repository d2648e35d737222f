// Histories of real processes and goroutines must be linearizable. broken_test.go shows that
// the check finds those that are not.

package proptest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// collector collects the records of clients. A later record of an operation replaces an earlier
// one.
type collector struct {
	mu      sync.Mutex
	records []record
	at      map[[2]int]int
}

func (c *collector) tell(r record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]int{r.Client, r.Number}
	if i, known := c.at[key]; known {
		c.records[i] = r
		return
	}
	if c.at == nil {
		c.at = map[[2]int]int{}
	}
	c.at[key] = len(c.records)
	c.records = append(c.records, r)
}

// historyKinds are the settings that the processes of a history share. The other settings are
// drawn for each process.
var historyKinds = []struct {
	name     string
	versions []store.VersionMode
	few      bool
}{
	{"hash", []store.VersionMode{store.VersionHash}, false},
	{"hash, contents come again", []store.VersionMode{store.VersionHash}, true},
	{"mtime", []store.VersionMode{store.VersionMtime}, false},
	{"mixed", []store.VersionMode{store.VersionHash, store.VersionMtime, store.VersionAuto}, false},
}

var someDocs = []string{"one", "two"}

// TestHistories: several processes with several goroutines each do all operations on two
// documents at once. Some of the processes are killed.
func TestHistories(t *testing.T) {
	if _, shared := sharedClock(); !shared {
		t.Skip("processes are not known to share a clock here")
	}
	histories := setting(t, "JSONSTORE_HISTORIES", 8)
	steps := setting(t, "JSONSTORE_HISTORY_STEPS", 40)
	for i := range histories {
		kind := historyKinds[i%len(historyKinds)]
		t.Run(fmt.Sprintf("%d %s", i, kind.name), func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			random := rand.New(rand.NewPCG(seed, 0))
			dir := t.TempDir()
			var all []*process
			var kills []int
			for first := 0; first < maxClients; first += 2 {
				all = append(all, startJob(t, "history", part{
					Dir: dir, Docs: someDocs, Single: random.IntN(2) == 0,
					Clients: []int{first, first + 1}, Steps: steps, Seed: seed, Few: kind.few,
					Options: randomOptions(random, kind.versions),
				}))
				kills = append(kills, 0)
				if random.IntN(3) == 0 {
					kills[len(kills)-1] = 1 + random.IntN(6*steps)
				}
			}
			h := recordProcesses(t, all, kills)
			h.Name = fmt.Sprintf("%s, seed %d", kind.name, seed)
			h.log(t)
			h.mustBeLinear(t)
		})
	}
}

// randomOptions returns random options that work together.
func randomOptions(random *rand.Rand, versions []store.VersionMode) store.Options {
	opts := store.Options{
		Versions:     versions[random.IntN(len(versions))],
		Locking:      random.IntN(3) == 0,
		Durability:   durabilities[random.IntN(len(durabilities))],
		GuardForeign: random.IntN(3) == 0 && canExchange,
	}
	switch random.IntN(4) {
	case 0:
		opts.Retry = store.Retry{EscalateAfter: -1, MaxTries: 2}
	case 1:
		opts.LockWait = -1
	}
	return opts
}

// recordProcesses runs the parts, each in a process of its own. A process is killed after the
// number of lines in kills.
func recordProcesses(t *testing.T, all []*process, kills []int) *history {
	startTogether(t, all)
	var told collector
	readLines(t, all, kills, func(line string) error {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return err
		}
		told.tell(r)
		return nil
	})
	return &history{Records: told.records}
}

// readLines passes on the lines of all processes until they have ended. A process is killed after
// the number of lines in kills.
func readLines(t *testing.T, all []*process, kills []int, seen func(line string) error) {
	var reading sync.WaitGroup
	for i, p := range all {
		// The kill hits what comes after that line at a random moment.
		delay := time.Duration(rand.IntN(500)) * time.Microsecond
		reading.Go(func() {
			lines, killed := 0, false
			p.lines(func(line string) {
				if err := seen(line); err != nil {
					t.Errorf("process %d told %q: %v", i, line, err)
					return
				}
				if lines++; lines == kills[i] {
					killed = true
					time.AfterFunc(delay, func() { _ = p.cmd.Process.Kill() })
				}
			})
			if err := p.cmd.Wait(); err != nil && !killed || p.errs.Len() > 0 {
				t.Errorf("process %d: %v: %s", i, err, p.errs.String())
			}
		})
	}
	reading.Wait()
}

// log prints the content of the history: a history without conflicts proves nothing.
func (h *history) log(t *testing.T) {
	count := map[string]int{}
	for _, r := range h.Records {
		count[string(r.Kind)+" "+string(r.Outcome)]++
	}
	t.Logf("%d operations: %v", len(h.Records), count)
}

// TestHistoriesOfGoroutines is the same within one process, for documents in memory and in files.
func TestHistoriesOfGoroutines(t *testing.T) {
	histories := setting(t, "JSONSTORE_HISTORIES", 8)
	steps := setting(t, "JSONSTORE_HISTORY_STEPS", 40)
	for i := range histories {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		memory := memdriver.New()
		dir := t.TempDir()
		var told collector
		var all sync.WaitGroup
		for first := 0; first < maxClients; first += 4 {
			kind := historyKinds[i%len(historyKinds)]
			p := part{
				Dir: dir, Docs: someDocs, Single: random.IntN(2) == 0, Clients: []int{first,
					first + 1, first + 2, first + 3},
				Steps: steps, Seed: seed, Few: kind.few,
				Options: randomOptions(random, kind.versions),
			}
			docs, closeAll, err := p.open()
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll()
			if i%2 == 1 {
				p.Few = false // a version in memory never repeats
				db, err := store.New(memory, &p.Options)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range p.Docs {
					docs[name] = db.Doc(name)
				}
			}
			all.Go(func() {
				if err := p.run(docs, told.tell); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		h := &history{Name: fmt.Sprintf("goroutines, seed %d", seed), Records: told.records}
		h.log(t)
		h.mustBeLinear(t)
	}
}
