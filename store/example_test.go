package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// open opens a document in a new directory, with the given content unless that is empty.
func open(content string) *store.Doc {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "doc.json")
	if content != "" {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	doc, err := store.OpenFile(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	return doc
}

func remove(doc *store.Doc) {
	doc.Close()
	os.RemoveAll(filepath.Dir(doc.Name()))
}

func show(doc *store.Doc) {
	data, _, err := doc.Read(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(data))
}

// The loop that Update is, by hand: read, change, swap, and again on a conflict.
func ExampleDoc_CompareAndSwap() {
	ctx := context.Background()
	doc := open(`{"stock": 3}`)
	defer remove(doc)

	for {
		data, version, err := doc.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		var stock int
		if _, err := fmt.Sscanf(string(data), `{"stock": %d}`, &stock); err != nil {
			log.Fatal(err)
		}
		_, err = doc.CompareAndSwap(ctx, version, fmt.Appendf(nil, `{"stock": %d}`, stock-1))
		if errors.Is(err, store.ErrConflict) {
			continue // somebody was faster
		}
		if err != nil {
			log.Fatal(err)
		}
		break
	}
	show(doc)
	// Output: {"stock": 2}
}

// Of two who have read the same version, the second one is told.
func ExampleDoc_Expect() {
	ctx := context.Background()
	doc := open(`{"theme": "light", "size": 12}`)
	defer remove(doc)

	_, version, err := doc.Get(ctx, "theme")
	if err != nil {
		log.Fatal(err)
	}
	_, err = doc.Expect(version).Set(ctx, "theme", "dark")
	fmt.Println(err)
	_, _, err = doc.Expect(version).Add(ctx, "size", 1)
	fmt.Println(errors.Is(err, store.ErrConflict))
	show(doc)
	// Output:
	// <nil>
	// true
	// {"theme": "dark", "size": 12}
}

func ExampleDoc_Update() {
	doc := open(`[1, 2]`)
	defer remove(doc)
	_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
		// This may run more than once, on newer content each time.
		return fmt.Appendf(nil, `{"was": %s}`, old), nil
	})
	if err != nil {
		log.Fatal(err)
	}
	show(doc)
	// Output: {"was": [1, 2]}
}

// Members that the type does not know, their order and their spelling survive.
func ExampleUpdate() {
	type Settings struct {
		Theme string `json:"theme"`
		Size  int    `json:"size"`
	}
	doc := open(`{"size": 12, "ratio": 1.10, "theme": "light"}`)
	defer remove(doc)

	settings, _, err := store.Update(context.Background(), doc, func(s *Settings) error {
		s.Theme = "dark"
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(settings.Size)
	show(doc)
	// Output:
	// 12
	// {"size": 12, "ratio": 1.10, "theme": "dark"}
}

func ExampleRead() {
	doc := open(`{"theme": "dark"}`)
	defer remove(doc)
	settings, version, err := store.Read[map[string]string](context.Background(), doc)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(settings["theme"], version)
	// Output: dark h:e33aaf78f211112b64c3c645c546af9d-17
}

func ExampleDoc_Add() {
	doc := open("")
	defer remove(doc)
	for range 3 {
		if _, _, err := doc.Add(context.Background(), "pages.home", 1); err != nil {
			log.Fatal(err)
		}
	}
	sum, _, err := doc.Add(context.Background(), "pages.home", json.Number("99999999999999999999"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: 100000000000000000002
}

func ExampleDoc_Set() {
	ctx := context.Background()
	doc := open("{\n  \"theme\": {\"color\": \"light\"},\n  \"ratio\": 1.10\n}")
	defer remove(doc)
	if _, err := doc.Set(ctx, "theme.color", "dark"); err != nil {
		log.Fatal(err)
	}
	if _, err := doc.Set(ctx, store.Path("a.b"), true); err != nil {
		log.Fatal(err)
	}
	show(doc)
	// Output:
	// {
	//   "theme": {"color": "dark"},
	//   "ratio": 1.10,
	//   "a.b": true
	// }
}

func ExampleDoc_Get() {
	doc := open(`{"users": [{"name": "alice", "age": 44}, {"name": "bob", "age": 17}]}`)
	defer remove(doc)
	for _, path := range []string{"users.1.name", "users.#(age>40).name", "users.#"} {
		value, _, err := doc.Get(context.Background(), path)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(value))
	}
	// Output:
	// "bob"
	// "alice"
	// 2
}

func ExampleDoc_Append() {
	ctx := context.Background()
	doc := open(`{"log": ["a"]}`)
	defer remove(doc)
	if _, err := doc.Append(ctx, "log", "b"); err != nil {
		log.Fatal(err)
	}
	show(doc)
	// Output: {"log": ["a", "b"]}
}

func ExampleDoc_Unset() {
	doc := open(`{"a": 1, "b": 2, "c": 3}`)
	defer remove(doc)
	if _, err := doc.Unset(context.Background(), "b"); err != nil {
		log.Fatal(err)
	}
	show(doc)
	// Output: {"a": 1, "c": 3}
}

func ExampleDoc_MergePatch() {
	doc := open(`{"title": "old", "tags": ["x"], "draft": true}`)
	defer remove(doc)
	if _, err := doc.MergePatch(context.Background(),
		[]byte(`{"title": "new", "draft": null}`)); err != nil {
		log.Fatal(err)
	}
	show(doc)
	// Output: {"title": "new", "tags": ["x"]}
}

// A program changes what it has read a while ago, and others have changed the document since.
func ExampleDoc_Merge() {
	ctx := context.Background()
	doc := open(`{"theme": "light", "size": 1.10}`)
	defer remove(doc)

	base, _, err := doc.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	edited := []byte(`{"theme": "dark", "size": 1.10}`)

	if _, err := doc.Set(ctx, "size", 2); err != nil { // by another program
		log.Fatal(err)
	}
	if _, err := doc.Merge(ctx, base, edited); err != nil {
		log.Fatal(err)
	}
	show(doc)
	// Output: {"theme": "dark", "size": 2}
}

func ExampleDoc_JSONPatch() {
	doc := open(`{"stock": 3}`)
	defer remove(doc)
	patch := []byte(`[
		{"op": "test", "path": "/stock", "value": 4},
		{"op": "remove", "path": "/stock"}
	]`)
	_, err := doc.JSONPatch(context.Background(), patch)
	fmt.Println(errors.Is(err, store.ErrTest))
	show(doc)
	// Output:
	// true
	// {"stock": 3}
}

func ExampleDoc_Delete() {
	ctx := context.Background()
	doc := open(`{}`)
	defer remove(doc)
	fmt.Println(doc.Delete(ctx))
	_, version, err := doc.Read(ctx)
	fmt.Println(errors.Is(err, store.ErrNotExist), version == store.Absent)
	// Output:
	// <nil>
	// true true
}

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(dir, &store.Options{Durability: store.Ordered})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	for _, key := range []string{"users/bob", "users/alice", "settings"} {
		if _, err := db.Doc(key).Set(ctx, "visits", 1); err != nil {
			log.Fatal(err)
		}
	}
	for key, err := range db.Keys(ctx, "users/") {
		fmt.Println(key, err)
	}
	// Output:
	// users/alice <nil>
	// users/bob <nil>
}

func ExampleNew() {
	db, err := store.New(memdriver.New(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	sum, version, err := db.Doc("counter").Add(context.Background(), "hits", 1)
	fmt.Println(sum, version, err)
	// Output: 1 r:1 <nil>
}

// Another program empties the document, and the version before is put back.
func ExampleDoc_Recover() {
	ctx := context.Background()
	doc := open(`{"size": 1}`)
	defer remove(doc)
	keeping, err := doc.With(func(o *store.Options) { o.KeepLast = true })
	if err == nil {
		_, err = keeping.Set(ctx, "size", 2)
	}
	if err == nil {
		err = os.Truncate(doc.Name(), 0)
	}
	if err != nil {
		log.Fatal(err)
	}

	r, err := doc.Recover(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Problem)
	fmt.Println("taken:", r.Taken.Kind)
	_, err = os.Stat(r.Aside)
	fmt.Println("the empty file is still there:", err == nil)
	show(doc)
	// Output:
	// invalid JSON: the document is empty
	// taken: kept
	// the empty file is still there: true
	// {"size": 1}
}

// A former version comes back, as a new version.
func ExampleDoc_Undo() {
	ctx := context.Background()
	doc := open(`{"size": 1}`)
	defer remove(doc)
	err := doc.SetHistory(ctx, &store.HistoryOptions{Keep: 20})
	for size := 2; err == nil && size < 4; size++ {
		_, err = doc.Set(ctx, "size", size)
	}
	if err == nil {
		_, err = doc.Undo(ctx, 2)
	}
	if err != nil {
		log.Fatal(err)
	}
	show(doc)

	for e, err := range doc.History(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		data, err := doc.ReadHistory(ctx, e)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("@%d %s\n", e.N, data)
	}
	// Output:
	// {"size": 1}
	// @0 {"size": 1}
	// @1 {"size": 3}
	// @2 {"size": 2}
	// @3 {"size": 1}
}

// A file that is there, but empty, as mktemp and touch make it.
func ExampleDoc_CreateIfEmpty() {
	ctx := context.Background()
	doc := open(" ")
	defer remove(doc)

	_, err := doc.CreateIfEmpty(ctx, []byte(`{"size": 1}`))
	fmt.Println(err)
	_, err = doc.CreateIfEmpty(ctx, []byte(`{}`))
	fmt.Println(errors.Is(err, store.ErrExist))
	show(doc)
	// Output:
	// <nil>
	// true
	// {"size": 1}
}
