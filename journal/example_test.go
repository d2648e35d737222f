package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/jsonstore/jsonstore/journal"
)

// temporary makes a directory for an example.
func temporary() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

func Example() {
	dir, remove := temporary()
	defer remove()
	ctx := context.Background()

	audit, err := journal.Open(filepath.Join(dir, "audit.jsonl"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer audit.Close()
	for _, value := range []string{`{"user":"ada","did":"login"}`, `{"user":"bob","did":"login"}`,
		`{"user":"ada","did":"logout"}`} {
		seq, err := audit.Append(ctx, []byte(value)) // on the device when it returns
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("appended", seq)
	}
	for record, err := range audit.Records(ctx, 2) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(record.Seq, string(record.Value))
	}
	// Output:
	// appended 1
	// appended 2
	// appended 3
	// 2 {"user":"bob","did":"login"}
	// 3 {"user":"ada","did":"logout"}
}

func ExampleJournal_AppendAll() {
	dir, remove := temporary()
	defer remove()
	events, err := journal.Open(dir, nil) // DIR/journal.jsonl
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()
	first, n, err := events.AppendAll(
		context.Background(),
		[]byte(`1`),
		[]byte(`"two"`),
		[]byte(`[3]`),
	)
	fmt.Println(first, n, err)
	// Output: 1 3 <nil>
}

func ExampleJournal_Follow() {
	dir, remove := temporary()
	defer remove()
	events, err := journal.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() {
		for i := range 3 {
			if _, err := events.Append(ctx, fmt.Append(nil, i*i)); err != nil {
				log.Print(err)
			}
		}
	}()
	for record, err := range events.Follow(ctx, 1) {
		if errors.Is(err, context.Canceled) {
			break // the end of the context ends the iteration
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(record.Seq, string(record.Value))
		if record.Seq == 3 {
			cancel()
		}
	}
	// Output:
	// 1 0
	// 2 1
	// 3 4
}

// A journal with damage: what cannot be read is named, and the rest is read.
func ExampleJournal_Records() {
	dir, remove := temporary()
	defer remove()
	path := filepath.Join(dir, "a.jsonl")
	if err := os.WriteFile(path, []byte("{\"n\":1}\n{\"n\":\n{\"n\":3}\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	events, err := journal.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()
	for record, err := range events.Records(context.Background(), 1) {
		var bad *journal.CorruptError
		switch {
		case errors.As(err, &bad):
			fmt.Println("cannot read", bad.First, "to", bad.Last)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(record.Seq, string(record.Value))
		}
	}
	// Output:
	// 1 {"n":1}
	// cannot read 2 to 2
	// 3 {"n":3}
}

func ExampleJournal_Rotate() {
	dir, remove := temporary()
	defer remove()
	ctx := context.Background()
	events, err := journal.Open(filepath.Join(dir, "events.jsonl"), &journal.Options{
		Retention: journal.Retention{Segments: 2},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()
	for i := range 6 {
		if _, err := events.Append(ctx, fmt.Append(nil, i)); err != nil {
			log.Fatal(err)
		}
		if i%2 == 1 {
			segment, err := events.Rotate(ctx)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(filepath.Base(segment.Path))
		}
	}
	for record, err := range events.Records(ctx, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(record.Seq, " ")
	}
	// Output:
	// events.jsonl.00000000000000000001-00000000000000000002.gz
	// events.jsonl.00000000000000000003-00000000000000000004.gz
	// events.jsonl.00000000000000000005-00000000000000000006.gz
	// 3 4 5 6
}
