// The verb log: the versions of a document, and what each has changed.

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/docpath"
	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// maxLogged is how many changed paths log prints of a version.
const maxLogged = 5

func (a *app) logCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use:   "log FILE",
		Short: "List the versions of the document, and what each has changed",
		Long: `List the versions of the document, the newest first, and what each has changed in the
one before it: how far back it is, when it was written, its size, its version by content, and paths
of what it has added (+), removed (-) or changed. A version that a transaction has made has the
beginning of the transaction's id, which is the same in all its documents.`,
		Example: `  jsonstore log settings.json
  jsonstore log settings.json -n 3 --json`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().IntVarP(&most, "number", "n", 0, "list at most `N` versions (default all)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if most < 0 {
			return usage("-n takes no negative number")
		}
		return a.with(cmd.Context(), args[0], func(ctx context.Context, doc *store.Doc) error {
			return a.log(ctx, doc, most)
		})
	}
	return cmd
}

// logged is what log prints of a version.
type logged struct {
	File        string        `json:"file"`
	N           int           `json:"n"`
	Written     time.Time     `json:"written"`
	Replaced    *time.Time    `json:"replaced,omitempty"`
	Deleted     bool          `json:"deleted,omitempty"` // it was not replaced, but deleted
	Size        int64         `json:"size"`
	Version     store.Version `json:"version"`
	Transaction string        `json:"transaction,omitempty"` // that has made it
	ReplacedBy  string        `json:"replaced_by,omitempty"` // a transaction
	Changes     []string      `json:"changes"`               // null if it is not known
	More        bool          `json:"more,omitempty"`        // there are more changes
	Problem     string        `json:"problem,omitempty"`     // it cannot be read
}

func (a *app) log(ctx context.Context, doc *store.Doc, most int) error {
	var all []store.HistoryEntry
	for e, err := range doc.History(ctx) {
		if err != nil {
			return err
		}
		all = append(all, e)
		if most > 0 && len(all) > most { // one more, for its changes
			break
		}
	}
	if len(all) == 0 {
		return store.ErrNotExist
	}
	lines := make([]logged, len(all))
	a.inParts(len(all), func(first, end int) { a.logPart(ctx, doc, all, lines, first, end) })
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if most > 0 {
		lines = lines[:min(most, len(lines))]
	}
	var out bytes.Buffer
	for _, line := range lines {
		if !a.flags.json {
			writeLogged(&out, line)
		} else if err := encodeLine(&out, line); err != nil {
			return err
		}
	}
	return a.print(out.Bytes())
}

// inParts calls do for parts of n, on all processors.
func (a *app) inParts(n int, do func(first, end int)) {
	const size = 256
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+size-1)/size) {
		wait.Go(func() {
			for {
				end := int(next.Add(size))
				if end-size >= n {
					return
				}
				do(end-size, min(end, n))
			}
		})
	}
	wait.Wait()
}

// logPart describes some versions. The changes of the last of all are not known.
func (a *app) logPart(
	ctx context.Context, doc *store.Doc, all []store.HistoryEntry, lines []logged, first, end int,
) {
	read := func(i int) (*splice.Parsed, error) {
		if i == len(all) {
			return nil, nil
		}
		data, err := doc.ReadHistory(ctx, all[i])
		if err != nil {
			return nil, err
		}
		return splice.Prepare(data, a.limits())
	}
	after, err := read(first)
	for i := first; i < end && ctx.Err() == nil; i++ {
		e := all[i]
		line := logged{File: doc.Name(), N: e.N, Written: e.Written, Deleted: e.Deleted,
			Size: e.Size, Version: e.Version, Transaction: e.Transaction, ReplacedBy: e.ReplacedBy}
		if e.N > 0 {
			line.Replaced = &e.Replaced
		}
		before, beforeErr := read(i + 1)
		switch {
		case err != nil:
			line.Problem = problemOf(err)
		case i+1 < len(all) && beforeErr == nil && !all[i+1].Deleted:
			changed := pathsOf(before.Changes(after, maxLogged+1))
			line.More = len(changed) > maxLogged
			line.Changes = append([]string{}, changed[:min(len(changed), maxLogged)]...)
		case i+1 < len(all) && all[i+1].Deleted:
			line.Changes = []string{"+@this"}
		}
		lines[i] = line
		after, err = before, beforeErr
	}
}

// problemOf is an error without the document's name.
func problemOf(err error) string {
	var where *store.Error
	if errors.As(err, &where) {
		err = where.Err
	}
	return err.Error()
}

// changedPaths are the paths of what differs, with a + for what was added, and a - for what
// was removed.
func (a *app) changedPaths(before, after []byte, most int) ([]string, error) {
	found, err := splice.Changes(before, after, most, a.limits())
	return pathsOf(found), err
}

func (a *app) limits() splice.Limits {
	return splice.Limits{AllowDuplicateKeys: a.flags.duplicates}
}

func pathsOf(found []splice.Change) []string {
	paths := make([]string, len(found))
	for i, c := range found {
		switch paths[i] = docpath.Of(c.Way); {
		case c.Added:
			paths[i] = "+" + paths[i]
		case c.Removed:
			paths[i] = "-" + paths[i]
		}
	}
	return paths
}

// writeLogged writes a line of log.
func writeLogged(out *bytes.Buffer, l logged) {
	fmt.Fprintf(out, "@%-4d %s %8d %s", l.N, l.Written.Format("2006-01-02T15:04:05.000Z07:00"),
		l.Size, l.Version)
	if l.Transaction != "" {
		fmt.Fprintf(out, " txn %s", l.Transaction)
	}
	if l.Problem != "" {
		fmt.Fprintf(out, " (%s)", l.Problem)
	}
	if len(l.Changes) > 0 {
		out.WriteString(" " + strings.Join(l.Changes, " "))
	}
	if l.More {
		out.WriteString(" …")
	}
	if l.Deleted {
		fmt.Fprintf(out, " (deleted %s)", l.Replaced.Format(time.RFC3339))
	}
	out.WriteByte('\n')
}
