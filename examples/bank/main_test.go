package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

func TestMain(m *testing.M) {
	if dir, is := os.LookupEnv(workerVariable); is {
		fmt.Fprintln(os.Stderr, work(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestBank: processes die in the middle of transfers, no audit sees another sum, and in the end
// the files, read as any program does, have it, and nothing else is there.
func TestBank(t *testing.T) {
	b := bank{dir: t.TempDir(), accounts: 5, processes: 3, lasts: 2 * time.Second,
		lives: 60 * time.Millisecond}
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.made.Load() == 0 || b.killed.Load() == 0 || b.audits.Load() < 2 {
		t.Errorf("%d transfers, %d killed, %d audits", b.made.Load(), b.killed.Load(),
			b.audits.Load())
	}
	sum := 0
	var want []string
	for i := range b.accounts {
		path := filepath.Join(b.dir, filepath.FromSlash(key(i))+".json")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var a account
		if err := json.Unmarshal(data, &a); err != nil {
			t.Error(err)
		}
		if a.Balance < 0 {
			t.Errorf("account %d has %d", i, a.Balance)
		}
		sum += a.Balance
		name := filepath.Base(path)
		want = append(want, name, "."+name+".lock")
	}
	if sum != b.accounts*opening {
		t.Errorf("there is %d in the files", sum)
	}
	entries, err := os.ReadDir(filepath.Join(b.dir, "accounts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(want, entry.Name()) {
			t.Errorf("left: %s", entry.Name())
		}
	}
}

// TestAuditNotices: the auditor of a bank that has lost money says so.
func TestAuditNotices(t *testing.T) {
	b := bank{dir: t.TempDir(), accounts: 2}
	db, err := store.Open(b.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range b.accounts {
		if _, err := db.Doc(key(i)).Create(context.Background(), []byte(`{"balance":99}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.audit(db); err == nil || b.audits.Load() != 1 {
		t.Errorf("%d audits, %v", b.audits.Load(), err)
	}
}
