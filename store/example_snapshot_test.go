package store_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/jsonstore/jsonstore/store"
)

// A snapshot keeps all documents as they are at one moment, and brings them back in one
// transaction.
func ExampleDB_CreateSnapshot() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Doc("users/ada").Create(ctx, []byte(`{"age": 36}`)); err != nil {
		log.Fatal(err)
	}

	info, err := db.CreateSnapshot(ctx, "before-upgrade")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Name, info.Documents)

	if _, err := db.Doc("users/ada").Set(ctx, "age", 99); err != nil {
		log.Fatal(err)
	}
	snapshot, err := db.OpenSnapshot("before-upgrade")
	if err != nil {
		log.Fatal(err)
	}
	defer snapshot.Close()
	data, err := fs.ReadFile(snapshot, "users/ada.json")
	fmt.Println(string(data), err)

	restored, err := snapshot.Restore(ctx, nil) // all, or none
	if err != nil {
		log.Fatal(err)
	}
	for _, document := range restored {
		fmt.Println("restored", document.Key)
	}
	// Output:
	// before-upgrade 1
	// {"age": 36} <nil>
	// restored users/ada
}
