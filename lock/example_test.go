package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/jsonstore/jsonstore/lock"
	"github.com/jsonstore/jsonstore/store"
)

// No writer of the store changes the document while the lock is held.
func ExampleOpenDocument() {
	dir, err := os.MkdirTemp("", "lock")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path, ctx := filepath.Join(dir, "settings.json"), context.Background()

	l, err := lock.OpenDocument(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	unlock, err := l.Lock(ctx)
	if err != nil {
		log.Fatal(err)
	}
	doc, err := store.OpenFile(path, &store.Options{LockWait: -1})
	if err != nil {
		log.Fatal(err)
	}
	defer doc.Close()
	set := func([]byte) ([]byte, error) { return []byte(`{"theme": "dark"}`), nil }
	_, err = doc.Update(ctx, set)
	fmt.Println("locked:", errors.Is(err, store.ErrLocked))
	unlock()
	_, err = doc.Update(ctx, set)
	fmt.Println("after unlock:", err)
	// Output:
	// locked: true
	// after unlock: <nil>
}

// Several may share a lock; nobody gets an exclusive one meanwhile.
func ExampleLock_LockShared() {
	dir, err := os.MkdirTemp("", "lock")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	l, err := lock.Open(filepath.Join(dir, "job.lock"), &lock.Options{Wait: -1})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		unlock, err := l.LockShared(ctx)
		if err != nil {
			log.Fatal(err)
		}
		defer unlock()
	}
	_, err = l.Lock(ctx)
	fmt.Println("an exclusive one:", errors.Is(err, lock.ErrLocked))
	// Output: an exclusive one: true
}
