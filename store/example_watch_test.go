package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/jsonstore/jsonstore/store"
)

// openState opens a new directory with some documents. Done closes and removes it.
func openState(documents map[string]string) (db *store.DB, done func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	if db, err = store.Open(dir, nil); err != nil {
		log.Fatal(err)
	}
	for key, content := range documents {
		if _, err := db.Doc(key).Create(context.Background(), []byte(content)); err != nil {
			log.Fatal(err)
		}
	}
	return db, func() {
		db.Close()
		os.RemoveAll(dir)
	}
}

func ExampleDoc_Watch() {
	db, done := openState(map[string]string{"settings": `{"theme": "light"}`})
	defer done()
	ctx, doc := context.Background(), db.Doc("settings")

	for event, err := range doc.Watch(ctx, store.Absent) {
		if err != nil { // such as content that is not JSON; the loop goes on if it can
			log.Print(err)
			continue
		}
		fmt.Printf("%s: %s", event.Name, event.Data)
		if event.Polling != nil {
			log.Print("no notification: ", event.Polling)
		}
		// The body may use the document: here it makes the change that comes next.
		_, err := doc.Set(ctx, "theme", "dark")
		if err != nil || string(event.Data) == `{"theme": "dark"}` {
			break
		}
		fmt.Println()
	}
	// Output:
	// settings: {"theme": "light"}
	// settings: {"theme": "dark"}
}

func ExampleDB_Watch() {
	db, done := openState(map[string]string{"users/ada": `{"age": 36}`, "jobs/1": `{}`})
	defer done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	for event, err := range db.Watch(ctx, "users/", nil) {
		switch {
		case errors.Is(err, context.Canceled):
			fmt.Println("the end")
		case err != nil:
			log.Print(err)
		case event.Version.IsAbsent():
			fmt.Println(event.Name, "was deleted")
			cancel()
		default:
			fmt.Printf("%s: %s\n", event.Name, event.Data)
			if err := db.Doc(event.Name).Delete(ctx); err != nil {
				log.Fatal(err)
			}
		}
	}
	// Output:
	// users/ada: {"age": 36}
	// users/ada was deleted
	// the end
}

func ExampleMigrate() {
	db, done := openState(map[string]string{
		"settings": `{"dark": true, "zoom": 1.10}`, // as the first release has written it
	})
	defer done()
	ctx, doc := context.Background(), db.Doc("settings")

	_, err := store.Migrate(ctx, doc, "schema",
		func(old []byte) ([]byte, error) { // to 1: a theme instead of a switch
			var settings map[string]any
			if err := json.Unmarshal(old, &settings); err != nil {
				return nil, err
			}
			settings["theme"] = "light"
			if settings["dark"] == true {
				settings["theme"] = "dark"
			}
			delete(settings, "dark")
			return json.Marshal(settings)
		},
		func(old []byte) ([]byte, error) { return old, nil }, // to 2: the next one
	)
	if err != nil {
		log.Fatal(err)
	}
	data, _, err := doc.Read(ctx)
	fmt.Printf("%s %v\n", data, err)

	// A program that knows fewer steps leaves the document alone.
	_, err = store.Migrate(ctx, doc, "schema")
	fmt.Println(errors.Is(err, store.ErrSchema))
	// Output:
	// {"zoom": 1.10, "theme": "dark", "schema": 2} <nil>
	// true
}
