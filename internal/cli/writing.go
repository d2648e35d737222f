// What all writing verbs share: the expected version, the mode of a new document, the
// report of a change, and the notice of a long wait.

package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/store"
)

// writeFlags are the flags of a writing verb.
type writeFlags struct {
	expect   string
	expected *store.Version // expect, parsed; nil accepts any version
	each     bool           // accept several files, for verbs that do
}

// writeCommand gives a verb the flags of writing verbs. The verb create has no
// --expect: it always expects an absent document. That of txn is for each document.
func (a *app) writeCommand(cmd *cobra.Command, f *writeFlags) *cobra.Command {
	flags := cmd.Flags()
	if cmd.Name() != "create" && cmd.Name() != "txn" {
		flags.StringVar(&f.expect, "expect", "",
			"write only if the document has this `VERSION` (- if it is absent), else exit with 6")
	}
	flags.BoolVar(&a.exitChanged, "exit-changed", false,
		"exit with 10 if a document changed, with 0 if not")
	flags.StringVar(&a.flags.createMode, "create-mode", "",
		"the `MODE` of a new document, before the umask (default 0600)")
	flags.BoolVar(&a.flags.keepLast, "keep-last", false,
		"keep the version that is replaced or deleted, as .NAME.kept, for jsonstore recover")
	return cmd
}

// parse sets the expected version.
func (f *writeFlags) parse(flags *pflag.FlagSet) error {
	if !flags.Changed("expect") {
		return nil
	}
	version, err := store.ParseVersion(unshield(f.expect))
	if err != nil {
		return usage("--expect: %v", err)
	}
	f.expected = &version
	return nil
}

// written is the result of a write. Version is always set. If Changed is nil, it
// follows from whether a version was published.
type written struct {
	result
	text []byte // without --json; nil prints nothing
	no   bool   // the write succeeded, and the answer is no
}

// write opens each file for a writing verb, and prints the result.
func (a *app) write(
	cmd *cobra.Command, f *writeFlags, files []string,
	do func(ctx context.Context, doc *store.Doc) (written, error),
) error {
	if err := f.parse(cmd.Flags()); err != nil {
		return err
	}
	return a.each(cmd.Context(), files, f.each, func(ctx context.Context, doc *store.Doc) error {
		if f.expected != nil {
			doc = doc.Expect(*f.expected)
		}
		heard := a.tellWait([]*store.Doc{doc})
		w, err := do(ctx, doc)
		heard()
		if err != nil {
			return err
		}
		if w.Changed == nil {
			changed := doc.Stats().Writes > 0
			w.Changed = &changed
		}
		a.changed = a.changed || *w.Changed
		w.File = doc.Name()
		a.tellUnkept(doc)
		if err := a.show(w.result, w.text); err != nil {
			return err
		}
		if w.no {
			return errNo
		}
		return nil
	})
}

// tellUnkept prints a notice if --keep-last has kept nothing.
func (a *app) tellUnkept(doc *store.Doc) {
	if doc.Stats().Unkept > 0 && !a.flags.quiet && !a.flags.json {
		fmt.Fprintf(a.stderr, "jsonstore: %s: the document was changed, but the version before "+
			"was not kept: another user's file has that name, or the file system cannot do it; "+
			"see jsonstore stat\n", doc.Name())
	}
}

// mustHave returns a conflict if a document that was read has not the expected version.
func mustHave(doc *store.Doc, expected *store.Version, version store.Version) error {
	if expected == nil || *expected == version {
		return nil
	}
	if err := doc.CheckVersion(*expected); err != nil {
		return err
	}
	return &store.ConflictError{Key: doc.Name(), Want: *expected, Have: version}
}

// tellWait prints a notice on a terminal after waiting a second for the lock of a document,
// and names the holder where the system knows it. The returned function ends the wait.
func (a *app) tellWait(docs []*store.Doc) (heard func()) {
	if a.flags.quiet || a.flags.json || !isTerminal(a.stderr) {
		return func() {}
	}
	timer := time.AfterFunc(time.Second, func() {
		for _, doc := range docs {
			if doc.Stats().LockWaits == 0 {
				continue
			}
			owner, known := doc.LockOwner()
			if known && owner.PID == os.Getpid() {
				continue // not waiting: we hold the lock and compute
			}
			text := "waits for the lock"
			if known {
				text += ", held by " + owner.String()
			}
			fmt.Fprintf(a.stderr, "jsonstore: %s: %s; Ctrl-C gives up\n", doc.Name(), text)
			return
		}
	})
	return func() { timer.Stop() }
}
