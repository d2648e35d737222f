//go:build !windows

package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

// BenchmarkTransact is beside BenchmarkTransactUpdate, an update of one document.
func BenchmarkTransact(b *testing.B) {
	for _, durability := range []store.Durability{store.Durable, store.Volatile} {
		for _, documents := range []int{2, 10, 1000} {
			b.Run(fmt.Sprintf("%v/%d", durability, documents), func(b *testing.B) {
				db, err := store.Open(b.TempDir(), &store.Options{Durability: durability})
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				for b.Loop() {
					err := db.Transact(context.Background(), func(tx *store.Tx) error {
						for i := range documents {
							if _, err := tx.Add(tx.Doc(fmt.Sprint("d", i)), "n", 1); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkTransactUpdate(b *testing.B) {
	for _, durability := range []store.Durability{store.Durable, store.Volatile} {
		b.Run(durability.String(), func(b *testing.B) {
			db, err := store.Open(b.TempDir(), &store.Options{Durability: durability})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			for b.Loop() {
				if _, _, err := db.Doc("d").Add(context.Background(), "n", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
