// A bank: accounts in files, transfers between them by processes that are killed at random, and
// auditors. What is on all accounts together is always the same.

package powercut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// branch is a set of accounts whose sum does not change. There are no transfers between branches.
type branch struct {
	accounts int // so many
	closing  int // the last so many of them are opened and closed by transfers
}

const openingBalance = 1000

// branches are 100 accounts that stay, and ten more, of which four come and go: views of those
// that are absent take locks.
var branches = []branch{{100, 0}, {10, 4}}

func (b branch) key(i int) string { return fmt.Sprintf("branch%d/account%d", b.accounts, i) }

func (b branch) sum() int { return (b.accounts - b.closing) * openingBalance }

type account struct {
	Balance int `json:"balance"`
}

// bank makes transfers, until it is killed. Each is counted in the ledger in the same transaction.
func (j job) bank(ctx context.Context) error {
	db, err := store.Open(j.File, &j.Opts)
	if err != nil {
		return err
	}
	defer db.Close()
	open := func(key string) (*store.Doc, error) {
		if !j.Single {
			return db.Doc(key), nil
		}
		return store.OpenFile(filepath.Join(j.File, filepath.FromSlash(key)+".json"), &j.Opts)
	}
	ledger, err := open(j.Keys[0])
	if err != nil {
		return err
	}
	accounts := map[branch][]*store.Doc{}
	for _, b := range branches {
		for i := range b.accounts {
			doc, err := open(b.key(i))
			if err != nil {
				return err
			}
			accounts[b] = append(accounts[b], doc)
		}
	}
	for {
		n := 0
		err := store.Transact(ctx, func(tx *store.Tx) (err error) {
			b := branches[rand.IntN(len(branches))]
			if err := b.transfer(tx, accounts[b]); err != nil {
				return err
			}
			n, err = increment(tx, ledger, "n")
			return err
		})
		if err == nil {
			_, err = fmt.Println(n) // one system call: a kill leaves a whole line or none
		}
		if err != nil {
			return err
		}
	}
}

// transfer moves an amount from one account to one or two others. An account that may be closed
// is opened by what it gets, and gives all that it has when it is closed.
func (b branch) transfer(tx *store.Tx, accounts []*store.Doc) error {
	chosen := rand.Perm(len(accounts))[:2+rand.IntN(2)]
	change := func(i, delta int) error {
		_, err := tx.Add(accounts[i], "balance", delta)
		return err
	}
	from, to := chosen[0], chosen[1:]
	amount := rand.IntN(50) * len(to)
	if from >= b.accounts-b.closing {
		closed, err := store.TxRead[account](tx, accounts[from])
		if errors.Is(err, store.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = tx.Delete(accounts[from])
		}
		if err != nil {
			return err
		}
		amount, to = closed.Balance, to[:1]
	} else if err := change(from, -amount); err != nil {
		return err
	}
	for _, i := range to {
		if err := change(i, amount/len(to)); err != nil {
			return err
		}
	}
	return nil
}

// TestBank: 8 processes, in every mode and durability, transfer money between accounts, and are
// killed at random, for the time JSONSTORE_BANK, on the file system of temporary files and on
// those of JSONSTORE_CUT_FS, which may name tmpfs too. In every view the sum of a branch is what
// it was at the start, and so it is at the end, in the files; each ledger has the transfers that
// were acknowledged, or one more; and nothing is left behind.
func TestBank(t *testing.T) {
	last := 2 * time.Second
	if text, ok := os.LookupEnv("JSONSTORE_BANK"); ok {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("JSONSTORE_BANK: %v", err)
		}
	}
	t.Run("temporary directory", func(t *testing.T) { bankIn(t, t.TempDir(), last) })
	for _, system := range fileSystems() {
		t.Run(system, func(t *testing.T) { bankIn(t, mounted(t, system), last) })
	}
}

// bankTest is the state of a test of a bank.
type bankTest struct {
	t            *testing.T
	dir          string
	end          time.Time
	seed         uint64
	kills        atomic.Int64
	acknowledged atomic.Int64
	views        [2]atomic.Int64 // by branch
}

func bankIn(t *testing.T, dir string, last time.Duration) {
	const workers = 8
	r := &bankTest{t: t, dir: dir, seed: number(t, "JSONSTORE_SEED", uint64(time.Now().UnixNano()))}
	db, err := store.Open(dir, &store.Options{Durability: store.Volatile})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, b := range branches {
		for i := range b.accounts - b.closing {
			content, err := json.Marshal(account{openingBalance})
			if err == nil {
				_, err = db.Doc(b.key(i)).Create(t.Context(), content)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "ledgers"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.end = time.Now().Add(last)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() { r.work(i) })
	}
	for i := range branches {
		all.Go(func() { r.audit(i) })
	}
	all.Wait()
	r.look(db)
	t.Logf("%d processes, %.0f s, %d kills, %d transfers acknowledged, %d views of 100 accounts, "+
		"%d of those that come and go, seed %d", workers, last.Seconds(), r.kills.Load(),
		r.acknowledged.Load(), r.views[0].Load(), r.views[1].Load(), r.seed)
	if r.acknowledged.Load() == 0 || r.views[0].Load() == 0 || r.views[1].Load() == 0 {
		t.Error("nothing was done")
	}
}

// work starts a process again and again, kills it at a random moment, and compares its ledger with
// what it was acknowledged.
func (r *bankTest) work(i int) {
	random := rand.New(rand.NewPCG(r.seed, uint64(i)))
	ledger := fmt.Sprint("ledgers/worker", i)
	at := int64(0)
	for time.Now().Before(r.end) {
		opts := stormModes[random.IntN(len(stormModes))]
		if random.IntN(3) == 0 {
			opts.FlushOrder = store.PortableOrder
		}
		p, err := job{Kind: banking, File: r.dir, Keys: []string{ledger}, Opts: opts,
			Single: random.IntN(2) == 0}.start(at)
		if err != nil {
			r.t.Error(err)
			return
		}
		died := make(chan struct{})
		go func() { p.ended.Wait(); close(died) }()
		select {
		case <-time.After(time.Duration(random.IntN(400_000)) * time.Microsecond):
		case <-died:
			r.t.Errorf("worker %d ended by itself", i)
		}
		p.kill()
		found, err := r.ledger(ledger)
		if err != nil {
			r.t.Error(err)
			return
		}
		last := p.acknowledged.Load()
		if found != last && found != last+1 {
			r.t.Errorf("seed %d: worker %d: %d transfers acknowledged, %d found", r.seed, i, last,
				found)
		}
		r.kills.Add(1)
		r.acknowledged.Add(last - at)
		at = found
	}
}

// ledger reads a ledger by the store: its worker may have died before it was in its place.
func (r *bankTest) ledger(key string) (int64, error) {
	db, err := store.Open(r.dir, nil)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	data, _, err := db.Doc(key).Read(context.Background())
	if errors.Is(err, store.ErrNotExist) {
		return 0, nil
	}
	var found struct{ N int64 }
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	return found.N, err
}

// audit adds up the accounts of a branch again and again, through handles of any mode.
func (r *bankTest) audit(i int) {
	for time.Now().Before(r.end) {
		opts := stormModes[rand.IntN(len(stormModes))]
		opts.Logger = slog.New(slog.DiscardHandler)
		db, err := store.Open(r.dir, &opts)
		if err != nil {
			r.t.Error(err)
			return
		}
		for range 10 {
			if time.Now().After(r.end) {
				break
			}
			sum, err := branches[i].add(db)
			if err != nil || sum != branches[i].sum() {
				r.t.Errorf("a view of branch %d has %d, %v; want %d", i, sum, err,
					branches[i].sum())
			}
			r.views[i].Add(1)
			read := filepath.Join(r.dir, branches[i].key(rand.IntN(branches[i].accounts))+".json")
			var a account
			data, err := os.ReadFile(read)
			if err == nil {
				err = json.Unmarshal(data, &a)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				r.t.Errorf("a reader saw %q: %v", data, err)
			}
		}
		db.Close()
	}
}

// add adds up a branch in a view.
func (b branch) add(db *store.DB) (sum int, err error) {
	err = db.View(context.Background(), func(tx *store.Tx) error {
		sum = 0
		for i := range b.accounts {
			a, err := store.TxRead[account](tx, tx.Doc(b.key(i)))
			if errors.Is(err, store.ErrNotExist) && i >= b.accounts-b.closing {
				continue
			}
			if err != nil {
				return err
			}
			sum += a.Balance
		}
		return nil
	})
	return sum, err
}

// look looks when all have ended: after the next writer of each document, the files have the
// sums, and nothing is left.
func (r *bankTest) look(db *store.DB) {
	ctx := context.Background()
	for _, b := range branches {
		if sum, err := b.add(db); err != nil || sum != b.sum() {
			r.t.Errorf("the last view of %d accounts has %d, %v; want %d", b.accounts, sum, err,
				b.sum())
		}
	}
	sums := map[string]int{}
	next := func(key string) {
		doc := db.Doc(key)
		_, err := doc.Update(ctx, func(old []byte) ([]byte, error) { return old, nil })
		if err == nil {
			_, _, err = doc.Sweep(ctx)
		}
		if err != nil {
			r.t.Errorf("the next writer: %v", err)
		}
	}
	for _, b := range branches {
		for i := range b.accounts {
			next(b.key(i))
		}
	}
	for i := range 8 {
		next(fmt.Sprint("ledgers/worker", i))
	}
	// Who opens it for versions by time removes what one left who was killed as he did so.
	times, err := store.Open(r.dir, &store.Options{Versions: store.VersionMtime})
	if err == nil {
		err = times.Close()
	}
	if err != nil {
		r.t.Errorf("the next who opens it: %v", err)
	}
	err = filepath.WalkDir(r.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name := entry.Name()
		if strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".tx") {
			r.t.Errorf("left: %s", path)
		}
		if !strings.HasPrefix(name, "account") {
			return nil
		}
		data, err := os.ReadFile(path)
		var a account
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		sums[filepath.Base(filepath.Dir(path))] += a.Balance
		return err
	})
	if err != nil {
		r.t.Error(err)
	}
	for _, b := range branches {
		if sum := sums[strings.TrimSuffix(b.key(0), "/account0")]; sum != b.sum() {
			r.t.Errorf("the files of %d accounts have %d, want %d", b.accounts, sum, b.sum())
		}
	}
}
