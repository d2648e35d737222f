// Histories of transactions of real processes must be strictly serializable. txhistory_test.go
// shows that the check finds those that are not.

package proptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// txCollector collects the records of clients, as collector does.
type txCollector struct {
	mu      sync.Mutex
	records []txRecord
	at      map[[2]int]int
}

func (c *txCollector) tell(r txRecord) {
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

// TestTxHistories: several processes with several goroutines each make transactions and views of
// three documents in two directories, and change and read them one by one, at once. Some of the
// processes are killed. All together is strictly serializable, and the next writers leave
// nothing behind. JSONSTORE_TX_HISTORIES is how many histories.
func TestTxHistories(t *testing.T) {
	if _, shared := sharedClock(); !shared {
		t.Skip("processes are not known to share a clock here")
	}
	histories := setting(t, "JSONSTORE_TX_HISTORIES", 12)
	steps := setting(t, "JSONSTORE_HISTORY_STEPS", 40)
	killed, operations := 0, 0
	for range histories {
		h := recordTransactions(t, steps, txPart{})
		h.log(t)
		h.mustBeSerial(t)
		operations += len(h.Records)
		for _, r := range h.Records {
			if r.Outcome == pending {
				killed++
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d histories, %d operations, of which a kill has cut short %d", histories, operations,
		killed)
}

// txDir is a directory for the documents.
func txDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	// Handles on single files make no directories.
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// recordTransactions runs four processes with two clients each. What they have in common is in p.
func recordTransactions(t *testing.T, steps int, p txPart) *txHistory {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	kind := historyKinds[random.IntN(len(historyKinds))]
	p.Dir, p.Steps, p.Seed, p.Few = txDir(t), steps, seed, kind.few
	var all []*process
	var kills []int
	for first := 0; first < maxClients; first += 2 {
		p.Single, p.Clients = random.IntN(2) == 0, []int{first, first + 1}
		p.Options = randomOptions(random, kind.versions)
		all = append(all, startJob(t, "transactions", p))
		kill := 0
		if random.IntN(2) == 0 && !p.InParts {
			kill = 1 + random.IntN(5*steps)
		}
		kills = append(kills, kill)
	}
	startTogether(t, all)
	var told txCollector
	readLines(t, all, kills, func(line string) error {
		var r txRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return err
		}
		told.tell(r)
		return nil
	})
	told.tell(auditHistory(t, p.Dir))
	return &txHistory{Name: fmt.Sprintf("%s, seed %d", kind.name, seed), Records: told.records}
}

// auditHistory reads all documents when everybody has ended: first as the store sees them, then,
// when somebody has written to each, as they are in the files; and looks that nothing was left.
func auditHistory(t *testing.T, dir string) txRecord {
	t.Helper()
	ctx := context.Background()
	db, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := txRecord{What: "audit", Client: maxClients, Outcome: done, Call: now(), Reads: contents{}}
	err = db.View(ctx, func(tx *store.Tx) error {
		for _, name := range txDocs {
			data, _, err := tx.Read(tx.Doc(name))
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				return err
			}
			r.Reads[name] = string(data)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	r.Return = now()
	for _, name := range txDocs {
		doc := db.Doc(name)
		_, err := doc.Update(ctx, func(old []byte) ([]byte, error) { return old, nil })
		if err == nil {
			_, _, err = doc.Sweep(ctx)
		}
		if err != nil {
			t.Errorf("the next writer: %v", err)
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)+".json"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) || string(data) != r.Reads[name] {
			t.Errorf("the file of %s has %q, %v; a view had %q", name, data, err, r.Reads[name])
		}
	}
	mustHaveNoLitter(t, dir)
	return r
}

// mustHaveNoLitter finds temporary files and intents.
func mustHaveNoLitter(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".tx") {
			t.Errorf("left: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestTxHistoriesOfGoroutines is the same within one process, for documents in files and in
// memory.
func TestTxHistoriesOfGoroutines(t *testing.T) {
	histories := setting(t, "JSONSTORE_TX_HISTORIES", 12)
	steps := setting(t, "JSONSTORE_HISTORY_STEPS", 40)
	for i := range histories {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		kind := historyKinds[i%len(historyKinds)]
		memory := memdriver.New()
		dir := txDir(t)
		var told txCollector
		var all sync.WaitGroup
		var closers []func()
		for first := 0; first < maxClients; first += 4 {
			p := txPart{
				Dir: dir, Single: random.IntN(2) == 0, Clients: []int{first, first + 1, first + 2,
					first + 3}, Steps: steps, Seed: seed, Few: kind.few,
				Options: randomOptions(random, kind.versions),
			}
			db, docs, closeAll, err := p.open()
			if err != nil {
				t.Fatal(err)
			}
			closers = append(closers, closeAll)
			if i%2 == 1 {
				p.Few = false // a version in memory never repeats
				if db, err = store.New(memory, &p.Options); err != nil {
					t.Fatal(err)
				}
				for _, name := range txDocs {
					docs[name] = db.Doc(name)
				}
			}
			all.Go(func() {
				if err := p.run(db, docs, told.tell); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, closeAll := range closers {
			closeAll()
		}
		if i%2 == 0 {
			told.tell(auditHistory(t, dir))
		}
		h := &txHistory{Name: fmt.Sprintf("goroutines, seed %d", seed), Records: told.records}
		h.log(t)
		h.mustBeSerial(t)
	}
}
