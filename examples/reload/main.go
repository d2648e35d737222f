// Reload is a server whose configuration is a document that people edit while it runs. It
// takes over each good state, and goes on with the last good one while the file is bad.
//
//	go run ./examples/reload settings.json
//
// It brings an old document to the newest schema when it starts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/jsonstore/jsonstore/store"
)

// settings are those of schema 2.
type settings struct {
	Schema   int    `json:"schema"`
	Greeting string `json:"greeting"`
	Workers  int    `json:"workers"`
}

// steps bring a document from one schema to the next. Steps are only ever added.
var steps = []func(old []byte) ([]byte, error){
	func(old []byte) ([]byte, error) { // to 1: "hello" is called "greeting"
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(old, &doc); err != nil {
			return nil, err
		}
		if hello, ok := doc["hello"]; ok {
			delete(doc, "hello")
			doc["greeting"] = hello
		}
		return json.Marshal(doc)
	},
	func(old []byte) ([]byte, error) { // to 2: the number of workers can be set
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(old, &doc); err != nil {
			return nil, err
		}
		if doc["workers"] == nil {
			doc["workers"] = json.RawMessage("1")
		}
		return json.Marshal(doc)
	},
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: reload FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var current atomic.Pointer[settings]
	if err := run(ctx, os.Args[1], &current, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run keeps current up to date until ctx ends. The server reads it for each request.
func run(
	ctx context.Context, path string, current *atomic.Pointer[settings], out io.Writer,
) error {
	doc, err := store.OpenFile(path, nil)
	if err != nil {
		return err
	}
	defer doc.Close()
	if _, err := store.Migrate(ctx, doc, "schema", steps...); err != nil &&
		!errors.Is(err, store.ErrNotExist) {
		return err
	}
	for event, err := range doc.Watch(ctx, store.Absent) {
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrClosed):
			return err
		case err != nil:
			fmt.Fprintln(out, "going on with the last good settings:", err)
			continue
		case event.Version.IsAbsent():
			fmt.Fprintln(out, "the settings are gone; going on with the last ones")
			continue
		}
		next := &settings{}
		if err := json.Unmarshal(event.Data, next); err != nil {
			fmt.Fprintln(out, "going on with the last good settings:", err)
			continue
		}
		current.Store(next)
		fmt.Fprintf(out, "settings: %q, %d workers\n", next.Greeting, next.Workers)
	}
	return nil
}
