//go:build !windows

package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/jsonstore/jsonstore/store"
)

func showAll(db *store.DB) {
	for key, err := range db.Keys(context.Background(), "") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(key, " ")
		show(db.Doc(key))
	}
}

// A user gets another name: the user, the profile and the settings change together, or none of
// them does. The profile takes the place of an old document. What is not changed stays, to the
// byte.
func ExampleDB_Transact() {
	ctx := context.Background()
	db, done := openState(map[string]string{
		"users/ada":    `{"name": "Ada Byron", "age": 36}`,
		"settings/ada": `{"theme": "dark",  "greeting": "Hello, Ada Byron", "size": 1.10}`,
		"old/ada":      `{"picture": "ada.png"}`,
	})
	defer done()

	rename := func(name string) error {
		return db.Transact(ctx, func(tx *store.Tx) error { // may run more than once
			if name == "" {
				return errors.New("the name is empty")
			}
			user, settings := tx.Doc("users/ada"), tx.Doc("settings/ada")
			if err := tx.Set(user, "name", name); err != nil {
				return err
			}
			picture, err := tx.Get(tx.Doc("old/ada"), "picture")
			if err != nil {
				return err
			}
			profile := fmt.Appendf(nil, `{"title": %q, "picture": %s}`, name, picture)
			if err := tx.Create(tx.Doc("profiles/ada"), profile); err != nil {
				return err
			}
			if err := tx.Delete(tx.Doc("old/ada")); err != nil {
				return err
			}
			return tx.Set(settings, "greeting", "Hello, "+name)
		})
	}
	if err := rename("Ada Lovelace"); err != nil {
		log.Fatal(err)
	}
	showAll(db)

	// The second time the old document is absent: an error, and nothing is changed.
	fmt.Println(errors.Is(rename("Ada King"), store.ErrNotExist))
	name, _, err := db.Doc("users/ada").Get(ctx, "name")
	fmt.Println(string(name), err)
	// Output:
	// profiles/ada {"title": "Ada Lovelace", "picture": "ada.png"}
	// settings/ada {"theme": "dark",  "greeting": "Hello, Ada Lovelace", "size": 1.10}
	// users/ada {"name": "Ada Lovelace", "age": 36}
	// true
	// "Ada Lovelace" <nil>
}

// Documents of any files, which need not be in one directory.
func ExampleTransact() {
	from, to := open(`{"stock": 3}`), open(`{"stock": 0}`)
	defer remove(from)
	defer remove(to)

	err := store.Transact(context.Background(), func(tx *store.Tx) error {
		if _, err := tx.Add(from, "stock", -1); err != nil {
			return err
		}
		_, err := tx.Add(to, "stock", 1)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	show(from)
	show(to)
	// Output:
	// {"stock": 2}
	// {"stock": 1}
}

// All documents beneath a prefix, as they are at one moment.
func ExampleDB_View() {
	db, done := openState(map[string]string{"jobs/a": `{"size": 2}`, "jobs/b": `{"size": 5}`, "log": `[]`})
	defer done()

	sum := 0
	err := db.View(context.Background(), func(tx *store.Tx) error {
		sum = 0 // it may run more than once
		keys, err := tx.Keys("jobs/")
		if err != nil {
			return err
		}
		for _, key := range keys {
			job, err := store.TxRead[struct{ Size int }](tx, tx.Doc(key))
			if err != nil {
				return err
			}
			sum += job.Size
		}
		return nil
	})
	fmt.Println(sum, err)
	// Output: 7 <nil>
}
