//go:build unix

// The calls of ours that replace locks.

package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// documentLock is ours: an update in locking mode, whose function runs once, under the lock.
func documentLock(dir string) (func(time.Duration, func() error) error, error) {
	return documentUpdate(dir, &store.Options{Locking: true, Retry: store.Retry{MaxTries: 1}})
}

// documentUpdate is ours: Doc.Update.
func documentUpdate(
	dir string, opts *store.Options,
) (func(time.Duration, func() error) error, error) {
	doc, err := store.OpenFile(documentPath(dir), opts)
	return func(patience time.Duration, work func() error) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := doc.Update(ctx, func(old []byte) ([]byte, error) { return []byte("{}"), work() })
		if errors.Is(err, context.DeadlineExceeded) {
			return errLate
		}
		return err
	}, err
}

// leaseLocks is ours: lease.With.
func leaseLocks(dir string) (func(time.Duration, func() error) error, error) {
	doc, err := store.OpenFile(filepath.Join(dir, "lease.json"), nil)
	return func(patience time.Duration, work func() error) error {
		err := lease.With(context.Background(), doc, &lease.Options{TTL: ttl, Wait: patience},
			func(context.Context, *lease.Lease) error { return work() })
		switch {
		case errors.Is(err, lease.ErrHeld):
			return errLate
		case errors.Is(err, lease.ErrLost):
			return errLost
		}
		return err
	}, err
}

// readAndUpdate is ours: readers need no lock.
func readAndUpdate(dir string) (read, write func(time.Duration, func() error) error, err error) {
	doc, err := store.OpenFile(documentPath(dir), nil)
	if err != nil {
		return nil, nil, err
	}
	write, err = documentUpdate(dir, nil)
	read = func(_ time.Duration, work func() error) error {
		_, _, err := doc.Read(context.Background())
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			return err
		}
		return work()
	}
	return read, write, err
}
