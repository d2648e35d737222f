// A bank: accounts in files, transfers between them by several processes that are killed at
// random, an auditor. What is on all accounts together is always the same.

package proptest

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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// transfers is what the job "bank" does: transfers, until it is killed.
type transfers struct {
	Dir      string
	Accounts int
	Single   bool // each account is opened by itself
	Options  store.Options
}

const openingBalance = 1000

func accountName(i int) string { return "account" + strconv.Itoa(i) }

func bank(encoded []byte) error {
	var t transfers
	if err := json.Unmarshal(encoded, &t); err != nil {
		return err
	}
	t.Options.Logger = slog.New(slog.DiscardHandler)
	var accounts []*store.Doc
	db, err := store.Open(t.Dir, &t.Options)
	if err != nil {
		return err
	}
	for i := range t.Accounts {
		account := db.Doc(accountName(i))
		if t.Single {
			if account, err = store.OpenFile(filepath.Join(t.Dir, accountName(i)+".json"),
				&t.Options); err != nil {
				return err
			}
		}
		accounts = append(accounts, account)
	}
	for n := 0; ; n++ {
		err := store.Transact(context.Background(), func(tx *store.Tx) error {
			amount := rand.IntN(50)
			chosen := rand.Perm(t.Accounts)[:2+rand.IntN(2)]
			for i, account := range chosen {
				delta := amount
				if i == 0 {
					delta = -amount * (len(chosen) - 1)
				}
				if _, err := tx.Add(accounts[account], "balance", delta); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString(strconv.Itoa(n) + "\n"); err != nil {
			return err
		}
	}
}

// TestBank: 8 processes transfer money between accounts, and are killed at random. In every
// view the sum is what it was at the start, and so it is at the end, when nothing is left
// behind. JSONSTORE_BANK_SECONDS is how long, JSONSTORE_BANK_DIR where.
func TestBank(t *testing.T) {
	const accounts, workers = 100, 8
	seconds := setting(t, "JSONSTORE_BANK_SECONDS", 5)
	for i, opts := range []store.Options{{}, {FlushOrder: store.PortableOrder,
		Durability: store.Ordered},
		{Durability: store.Volatile, Versions: store.VersionMtime}} {
		t.Run(opts.Durability.String(), func(t *testing.T) {
			dir := t.TempDir()
			if parent, ok := os.LookupEnv("JSONSTORE_BANK_DIR"); ok {
				dir = filepath.Join(parent, fmt.Sprintf("bank%d", i))
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
			}
			runBank(t, dir, accounts, workers, opts, time.Duration(seconds)*time.Second/3)
		})
	}
}

func runBank(t *testing.T, dir string, accounts, workers int, opts store.Options,
	lasts time.Duration) {
	ctx := context.Background()
	opts.Logger = slog.New(slog.DiscardHandler)
	db, err := store.Open(dir, &opts)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range accounts {
		if _, err := db.Doc(accountName(i)).Create(ctx, []byte(`{"balance":1000}`)); err != nil {
			t.Fatal(err)
		}
	}
	opts.Logger = nil
	var made, kills atomic.Int64
	end := time.Now().Add(lasts)
	var workersEnd sync.WaitGroup
	for i := range workers {
		workersEnd.Go(func() {
			for time.Now().Before(end) {
				p := startJob(t, "bank", transfers{dir, accounts, i%2 == 1, opts})
				lives := time.Duration(50+rand.IntN(400)) * time.Millisecond
				kill := time.AfterFunc(min(time.Until(end), lives),
					func() { _ = p.cmd.Process.Kill() })
				p.lines(func(string) { made.Add(1) })
				kill.Stop()
				_ = p.cmd.Wait()
				kills.Add(1)
				if text := p.errs.String(); text != "" {
					t.Errorf("a worker: %s", text)
				}
			}
		})
	}
	views := 0
	for time.Now().Before(end) {
		audit(t, db, accounts)
		views++
	}
	workersEnd.Wait()
	audit(t, db, accounts)
	for i := range accounts {
		doc := db.Doc(accountName(i))
		if _, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
			return old,
				nil
		}); err != nil {
			t.Error(err)
		}
		if _, left, err := doc.Sweep(ctx); err != nil || len(left) > 0 {
			t.Errorf("%q, %v", left, err)
		}
	}
	sum := 0
	for i := range accounts { // as any program reads them
		data, err := os.ReadFile(filepath.Join(dir, accountName(i)+".json"))
		var account struct{ Balance int }
		if err == nil {
			err = json.Unmarshal(data, &account)
		}
		if err != nil {
			t.Fatal(err)
		}
		sum += account.Balance
	}
	if sum != accounts*openingBalance {
		t.Errorf("the sum in the files is %d", sum)
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".tx") {
			t.Errorf("left: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d transfers acknowledged, %d processes killed, %d views", made.Load(), kills.Load(),
		views)
	if made.Load() == 0 || views == 0 {
		t.Error("nothing was done")
	}
}

// audit adds up all accounts.
func audit(t *testing.T, db *store.DB, accounts int) {
	t.Helper()
	sum, found := 0, 0
	err := db.View(context.Background(), func(tx *store.Tx) error {
		sum, found = 0, 0
		keys, err := tx.Keys("account")
		if err != nil {
			return err
		}
		for _, key := range keys {
			account, err := store.TxRead[struct{ Balance int }](tx, tx.Doc(key))
			if err != nil {
				return err
			}
			sum += account.Balance
			found++
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		t.Errorf("a view: %v", err)
	}
	if err == nil && (sum != accounts*openingBalance || found != accounts) {
		t.Errorf("a view has %d accounts with %d, want %d", found, sum, accounts*openingBalance)
	}
}
