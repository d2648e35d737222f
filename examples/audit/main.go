// Audit keeps an audit journal: who did what, and when. Several processes and goroutines may
// write it at once; each entry that was acknowledged survives a power cut.
//
//	audit DIR USER ACTION   records an action, and prints its number
//	audit DIR [FROM]        lists the actions, from a number on
//
// The journal is DIR/audit.jsonl. It is rotated each day or at 10 MB, and segments are kept for
// 90 days. "jsonstore journal check DIR/audit.jsonl" checks it, and
// "zcat -f DIR/audit.jsonl.* DIR/audit.jsonl | jq" prints all of it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jsonstore/jsonstore/journal"
)

// Entry is a record of the journal.
type Entry struct {
	Time   time.Time `json:"time"`
	User   string    `json:"user"`
	Action string    `json:"action"`
}

const day = 24 * time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 1 || len(args) > 3 {
		return errors.New("usage: audit DIR USER ACTION, or audit DIR [FROM]")
	}
	log, err := journal.Open(filepath.Join(args[0], "audit.jsonl"), &journal.Options{
		MaxBytes: 10 << 20, MaxAge: day, Retention: journal.Retention{Age: 90 * day},
	})
	if err != nil {
		return err
	}
	defer log.Close()
	if len(args) == 3 {
		return record(ctx, log, Entry{time.Now().UTC(), args[1], args[2]}, out)
	}
	from := uint64(0)
	if len(args) == 2 {
		if from, err = strconv.ParseUint(args[1], 10, 64); err != nil {
			return fmt.Errorf("%s is no number", args[1])
		}
	}
	return list(ctx, log, from, out)
}

func record(ctx context.Context, log *journal.Journal, e Entry, out io.Writer) error {
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	seq, err := log.Append(ctx, value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, seq)
	return err
}

// list prints the entries. What is damaged is named, and the rest is printed.
func list(ctx context.Context, log *journal.Journal, from uint64, out io.Writer) error {
	var damaged error
	for r, err := range log.Records(ctx, from) {
		var e Entry
		if err == nil {
			err = json.Unmarshal(r.Value, &e)
		}
		if err != nil {
			damaged = errors.Join(damaged, err)
			continue
		}
		_, err = fmt.Fprintf(out, "%d %s %s: %s\n", r.Seq, e.Time.Format(time.DateTime), e.User,
			e.Action)
		if err != nil {
			return err
		}
	}
	return damaged
}
