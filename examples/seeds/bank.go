//go:build unix

// The load on transactions: processes move money between accounts and are killed. All accounts
// together have always the same.

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/jsonstore/jsonstore/store"
)

// bank is the accounts of a directory.
type bank interface {
	// share moves 1 from an account to each of the others.
	share(from string) error
	// sum adds all accounts up.
	sum() (int, error)
}

// transferring is the load.
type transferring struct {
	open      func(dir string) (bank, error)
	processes int
}

func (t transferring) transfer(
	name, load string, byHand func(string) (bank, error), call string,
	ours func(string) (bank, error),
) system {
	t.open = byHand
	other := t
	other.open = ours
	return system{name, load, call, t, other}
}

// account is a document.
type account struct {
	Balance int `json:"balance"`
}

const opening = 1000 // of each account

var accounts = []string{"a", "b", "c", "d"}

// gets is what an account gets when one shares.
func gets(name, from string) int {
	if name == from {
		return 1 - len(accounts)
	}
	return 1
}

func accountPath(dir, name string) string { return filepath.Join(dir, name+".json") }

func (t transferring) work(w *worker) error {
	b, err := t.open(w.Dir)
	if err != nil {
		return err
	}
	for !w.stopping() {
		if err := b.share(accounts[rand.IntN(len(accounts))]); err != nil {
			return err
		}
		w.say(done)
	}
	return nil
}

func (t transferring) round(r *round) error {
	for _, name := range accounts {
		if err := writeJSON(accountPath(r.Dir, name), account{opening}); err != nil {
			return err
		}
	}
	b, err := t.open(r.Dir)
	if err != nil {
		return err
	}
	all, err := r.group(t.processes, "")
	if err != nil {
		return err
	}
	var auditing sync.WaitGroup
	var audits, wrong int
	var failure error
	ended := make(chan struct{})
	auditing.Go(func() {
		for failure == nil {
			select {
			case <-ended:
				return
			default:
			}
			var sum int
			sum, failure = b.sum()
			audits++
			if sum != opening*len(accounts) {
				wrong++
			}
		}
	})
	_, err = r.gather(all, killed, roundTime/5)
	close(ended)
	auditing.Wait()
	if err != nil || failure != nil {
		return errors.Join(err, failure)
	}
	r.add("audits with another sum", wrong, audits)
	// The next one to use the accounts repairs what it can.
	if err := b.share("a"); err != nil {
		return err
	}
	sum, err := b.sum()
	if err != nil {
		return err
	}
	wrong = 0
	if sum != opening*len(accounts) {
		wrong = 1
	}
	r.add("kills that left half a transaction", wrong, 1)
	return nil
}

// fileTransaction is FileTransaction: under a lock, it copies each file to a backup, replaces the
// files, and then removes the backups. Who begins restores the backups that it finds.
type fileTransaction struct{ dir string }

func openFileTransaction(dir string) (bank, error) { return fileTransaction{dir}, nil }

func (t fileTransaction) begin() error {
	backups, err := filepath.Glob(filepath.Join(t.dir, "*.bak"))
	for _, backup := range backups {
		err = errors.Join(err, os.Rename(backup, backup[:len(backup)-len(".bak")]))
	}
	return err
}

func (t fileTransaction) commit(changed map[string]account) error {
	paths := make([]string, 0, len(changed))
	for path := range changed {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		var old account
		if err := readJSON(path, &old); err != nil {
			return err
		}
		if err := replaceJSON(path+".bak", old); err != nil {
			return err
		}
	}
	for _, path := range paths {
		if err := replaceJSON(path, changed[path]); err != nil {
			return err
		}
	}
	for _, path := range paths {
		if err := os.Remove(path + ".bak"); err != nil {
			return err
		}
	}
	return nil
}

func (t fileTransaction) share(from string) error {
	return underFlock(filepath.Join(t.dir, "lock"), func() error {
		if err := t.begin(); err != nil {
			return err
		}
		changed := map[string]account{}
		for _, name := range accounts {
			var a account
			if err := readJSON(accountPath(t.dir, name), &a); err != nil {
				return err
			}
			a.Balance += gets(name, from)
			changed[accountPath(t.dir, name)] = a
		}
		return t.commit(changed)
	})
}

func (t fileTransaction) sum() (sum int, err error) {
	for _, name := range accounts {
		var a account
		if err := readJSON(accountPath(t.dir, name), &a); err != nil {
			return 0, err
		}
		sum += a.Balance
	}
	return sum, nil
}

// storeBank is ours: Transact and View.
type storeBank struct{ db *store.DB }

func openStoreBank(dir string) (bank, error) {
	db, err := store.Open(dir, nil)
	return storeBank{db}, err
}

func (b storeBank) share(from string) error {
	return b.db.Transact(context.Background(), func(tx *store.Tx) error {
		for _, name := range accounts {
			if _, err := tx.Add(tx.Doc(name), "balance", gets(name, from)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b storeBank) sum() (sum int, err error) {
	err = b.db.View(context.Background(), func(tx *store.Tx) error {
		sum = 0
		for _, name := range accounts {
			a, err := store.TxRead[account](tx, tx.Doc(name))
			if err != nil {
				return err
			}
			sum += a.Balance
		}
		return nil
	})
	return sum, err
}

// filling is the load on several documents with an index: processes add documents, and are killed.
type filling struct {
	open      func(dir string) (put func(key string) error, err error)
	processes int
}

func (f filling) fill(
	name, load string, byHand func(string) (func(string) error, error), call string,
	ours func(string) (func(string) error, error),
) system {
	f.open = byHand
	other := f
	other.open = ours
	return system{name, load, call, f, other}
}

// index is the document that lists the keys of all others.
type index struct {
	Keys []string `json:"keys"`
}

func (f filling) work(w *worker) error {
	put, err := f.open(w.Dir)
	if err != nil {
		return err
	}
	for n := 0; !w.stopping(); n++ {
		key := fmt.Sprintf("p%d-%d", w.Process, n)
		if err := put(key); err != nil {
			return err
		}
		w.say(key)
	}
	return nil
}

func (f filling) round(r *round) error {
	if err := writeJSON(accountPath(r.Dir, "index"), index{[]string{}}); err != nil {
		return err
	}
	all, err := r.group(f.processes, "")
	if err != nil {
		return err
	}
	said, err := r.gather(all, killed, roundTime)
	if err != nil {
		return err
	}
	var found index
	if err := readJSON(accountPath(r.Dir, "index"), &found); err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, key := range found.Keys {
		listed[key] = true
	}
	missing, put := 0, 0
	for _, lines := range said {
		for _, key := range lines {
			put++
			if !listed[key] {
				missing++
			}
		}
	}
	r.add("documents missing in the index", missing, put)
	return nil
}

// multiFile is MultiFileStore: a file for each document, and one with their keys. Each is replaced
// by renaming.
func multiFile(dir string) (func(key string) error, error) {
	return func(key string) error {
		if err := replaceJSON(accountPath(dir, key), account{opening}); err != nil {
			return err
		}
		var all index
		if err := readJSON(accountPath(dir, "index"), &all); err != nil {
			return err
		}
		all.Keys = append(all.Keys, key)
		return replaceJSON(accountPath(dir, "index"), all)
	}, nil
}

// storeFill is ours: both documents in one transaction.
func storeFill(dir string) (func(key string) error, error) {
	db, err := store.Open(dir, nil)
	return func(key string) error {
		return db.Transact(context.Background(), func(tx *store.Tx) error {
			content := fmt.Appendf(nil, `{"balance":%d}`, opening)
			if err := tx.Create(tx.Doc(key), content); err != nil {
				return err
			}
			return tx.Append(tx.Doc("index"), "keys", key)
		})
	}, err
}
