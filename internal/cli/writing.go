// What all verbs that write have in common: the version that the document must have, the
// mode of a new document, and how they tell whether anything changed.

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

// writeFlags are the flags of a verb that writes.
type writeFlags struct {
	expect   string
	expected *store.Version // that it is, nil if any will do
	each     bool           // several files, for a verb that takes them
}

// writeCommand gives a verb the flags of those that write. The verb create has no
// --expect: it expects that there is no document.
func (a *app) writeCommand(cmd *cobra.Command, f *writeFlags) *cobra.Command {
	flags := cmd.Flags()
	if cmd.Name() != "create" {
		flags.StringVar(&f.expect, "expect", "",
			"write only if the document has this `VERSION`, - for no document; else exit with 6")
	}
	flags.BoolVar(&a.exitChanged, "exit-changed", false,
		"exit with 10 if anything changed, with 0 if not")
	flags.StringVar(&a.flags.createMode, "create-mode", "",
		"the `MODE` of a new document, before the umask (default 0600)")
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

// written is what came of a write. The version is there always. Whether the document
// changed is found out from what was published, unless the verb says so itself.
type written struct {
	result
	text []byte // without --json; nil prints nothing
	no   bool   // the answer is no, though all went well
}

// write opens each file for a verb that writes, and shows what came of it.
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
		heard := a.tellWait(doc)
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
		if err := a.show(w.result, w.text); err != nil {
			return err
		}
		if w.no {
			return errNo
		}
		return nil
	})
}

// mustHave is the conflict if a document that was read does not have the expected version.
func mustHave(doc *store.Doc, expected *store.Version, version store.Version) error {
	if expected == nil || *expected == version {
		return nil
	}
	if err := doc.CheckVersion(*expected); err != nil {
		return err
	}
	return &store.ConflictError{Key: doc.Name(), Want: *expected, Have: version}
}

// tellWait tells a person at a terminal, after a second, that the lock is waited for, and
// who has it where the system says. It ends with the function that it returns.
func (a *app) tellWait(doc *store.Doc) (heard func()) {
	if a.flags.quiet || a.flags.json || !isTerminal(a.stderr) {
		return func() {}
	}
	timer := time.AfterFunc(time.Second, func() {
		owner, known := doc.LockOwner()
		if doc.Stats().LockWaits == 0 || known && owner.PID == os.Getpid() {
			return // it computes
		}
		text := "waits for the lock"
		if known {
			text += ", which " + owner.String() + " has"
		}
		fmt.Fprintf(a.stderr, "jsonstore: %s: %s; give up by Ctrl-C\n", doc.Name(), text)
	})
	return func() { timer.Stop() }
}
