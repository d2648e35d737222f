// The verb txn: several documents, all or nothing. txnops.go has the operations as JSON,
// txnflags.go the flags of a single expression, txndo.go how the operations are carried out,
// txnout.go the result.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/store"
)

// txn is a run of the verb.
type txn struct {
	exprFlags
	on              onFlags
	dir             string
	dryRun, diff    bool
	print           string
	raw, exitStatus bool

	app        *app
	ops        []*operation
	programs   programs
	printer    *program // nil without --print
	printNames []string // of the documents in it; nil is an array

	db     *store.DB // of --dir
	docs   []*txnDoc // in the order in which they are named
	byName map[string]*txnDoc

	printed []byte // by --print, in the last run
}

func (a *app) txnCommand() *cobra.Command {
	t := &txn{app: a, byName: map[string]*txnDoc{}}
	cmd := &cobra.Command{
		Use:   "txn [OPERATIONS.json|-] | --on FILE … --expr JQ",
		Short: "Change several documents in one transaction, all or none",
		Long: `Change several documents in one transaction, all or none. No reader of jsonstore
sees some of the changes without the others, and no crash leaves some of them. If one of
the documents was changed meanwhile, all is done again on its new content.

With --on, one expression changes the documents. It gets an array of them, in the order of
--on, and its result is the array of the new ones. With --as NAME after each --on, both are
objects with these members. An absent document is null, and stays absent if the result has
null for it. A document that the expression does not change is not written.

Else the operations are read from a file or standard input, an array of objects:

  {"op": "expect", "file": F, "version": V}      it has this version; - if it is absent
  {"op": "expect", "file": F, "value": X}        its value is this one; with "path" that at a path
  {"op": "expect", "file": F, "exists": false}   it is absent; with "path" no value is there
  {"op": "expect", "file": F, "expr": JQ}        the result is neither null nor false
  {"op": "set", "file": F, "path": P, "value": X}
  {"op": "incr", "file": F, "path": P, "by": N}  by is 1 by default
  {"op": "append", "file": F, "path": P, "value": X}
  {"op": "delete", "file": F}                    with "path" only the value there
  {"op": "merge", "file": F, "patch": X}         JSON Merge Patch
  {"op": "patch", "file": F, "patch": [...]}     JSON Patch
  {"op": "create", "file": F, "value": X}        the document must be absent
  {"op": "write", "file": F, "value": X}         whether it is there or not
  {"op": "expr", "file": F, "expr": JQ, "args": {"name": X}}

Each works on the result of those before it; versions are those before the transaction.
Where expr stands, "files" may be an array of files, or an object of them, instead of
"file": JQ is then over all of them, as with --on. Other members and operations are errors.
All is checked before anything happens, and if an operation fails nothing is changed: the
message has its number, counted from 1. A failed expectation is a conflict, exit code 6.`,
		Example: `  jsonstore txn --on a.json --on b.json --expr '.[0].n -= 1 | .[1].n += 1'
  jsonstore txn --on a.json --as from --on b.json --as to --argjson n 5 \
    --expr 'if .from.n < $n then error("too little") else .from.n -= $n | .to.n += $n end'
  jsonstore txn --on a.json --expect "$va" --on b.json --expect "$vb" --expr '.[].seen = true'
  jsonstore txn changes.json --dry-run --diff
  echo '[{"op": "create", "file": "users/ada.json", "value": {"age": 36}},
         {"op": "append", "file": "index.json", "path": "users", "value": "ada"}]' |
    jsonstore txn --dir state`,
		Args: cobra.MaximumNArgs(1),
	}
	t.on.register(cmd.Flags())
	t.register(cmd.Flags())
	flags := cmd.Flags()
	flags.Lookup("expr").Usage = "with --on: compute the new documents with this `JQ` expression"
	flags.StringVar(&t.dir, "dir", "",
		"the files are named relative to this `DIR`; no name and no link leads out of it")
	flags.BoolVar(&t.dryRun, "dry-run", false,
		"change nothing; print the new content, or what another flag asks for")
	flags.BoolVar(&t.diff, "diff", false, "print the changes as unified diffs")
	flags.StringVar(&t.print, "print", "",
		"print the result of this `JQ` expression over $old and $new, all documents in each")
	flags.BoolVarP(&t.raw, "raw", "r", false, "with --print: a string without quotes and escapes")
	flags.BoolVarP(&t.exitStatus, "exit-status", "e", false,
		"with --print: exit with 1 if the result is null or false")
	cmd.RunE = t.runVerb
	return a.writeCommand(cmd, &writeFlags{})
}

func (t *txn) runVerb(cmd *cobra.Command, args []string) error {
	flags := cmd.Flags()
	prints := flags.Changed("print")
	switch {
	case prints && t.diff:
		return usage("--diff and --print exclude each other; give one")
	case !prints && (t.raw || t.exitStatus):
		return usage("--raw and --exit-status need --print")
	case t.app.flags.lockFile != "":
		return usage("--lock-file is for one document; a transaction uses the lock files " +
			"beside its documents, by which others finish it if it dies")
	}
	opts, err := t.app.flags.options()
	if err != nil {
		return err
	}
	ctx, cancel := t.app.context(cmd.Context())
	defer cancel()
	source, err := t.readOperations(ctx, flags, args)
	if err == nil {
		defer t.programs.close()
		err = t.compile(ctx, prints)
	}
	if err == nil {
		defer t.close()
		err = t.open(opts)
	}
	if err != nil {
		t.app.fail(source, err)
		return nil
	}
	if err := t.transact(ctx); err != nil {
		t.app.fail("", err)
	}
	return nil
}

// readOperations returns where the operations come from, for errors; empty if that goes
// without saying.
func (t *txn) readOperations(
	ctx context.Context, flags *pflag.FlagSet, args []string,
) (source string, err error) {
	if len(t.on.files) > 0 {
		if len(args) > 0 {
			return "", usage("give operations, or --on and an expression, not both")
		}
		task, err := t.task(flags, &t.app.flags, true)
		if err != nil {
			return "", err
		}
		task.MaxSize = t.app.flags.sizeOf(len(t.on.files))
		t.ops, err = t.on.operations(task)
		return "", err
	}
	if flags.Changed("expr") || flags.Changed("from-file") {
		return "", usage("name the documents of the expression with --on FILE")
	}
	if len(t.args)+len(t.json) > 0 {
		return "", usage("--arg and --argjson are for --expr; operations have \"args\"")
	}
	var data []byte
	limit := max(t.app.flags.sizeLimit(), store.DefaultMaxSize) // of all documents together
	if len(args) == 0 || args[0] == "-" {
		source = "standard input"
		data, err = t.app.input(ctx, limit)
	} else {
		source = unshield(args[0])
		data, err = readLimited(source, limit)
	}
	if err != nil {
		return source, fmt.Errorf("read the operations: %w", err)
	}
	t.ops, err = parseOperations(data, &t.app.flags)
	return source, err
}

func readLimited(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, plainPath(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: more than %d bytes; raise the limit with --max-size",
			store.ErrTooLarge, limit)
	}
	return data, err
}

// compile compiles all expressions.
func (t *txn) compile(ctx context.Context, prints bool) error {
	documents := 0
	for _, op := range t.ops {
		documents += len(op.files)
		if op.expr == nil {
			continue
		}
		var err error
		if op.program, err = t.programs.compile(ctx, *op.expr); err != nil {
			return op.failed("", err)
		}
	}
	if !prints {
		return nil
	}
	task := newTask("", &t.app.flags, documents)
	if len(t.on.files) > 0 {
		task = t.ops[len(t.ops)-1].expr // with its arguments
	}
	var err error
	if t.printer, err = compilePrint(ctx, unshield(t.print), *task); err == nil {
		t.programs.keep(t.printer)
	}
	return err
}

// open opens the documents.
func (t *txn) open(opts *store.Options) (err error) {
	if t.dryRun {
		opts.Locking = false // only after a conflict, or for what a dead transaction has left
	}
	if t.dir != "" {
		dir := unshield(t.dir)
		if t.db, err = store.Open(dir, opts); err != nil {
			return &opError{file: dir, err: plainPath(errors.Unwrap(err))}
		}
	}
	for _, op := range t.ops {
		for _, file := range op.files {
			if t.byName[file] != nil {
				continue
			}
			d := &txnDoc{name: file}
			if d.doc, err = t.openFile(file, opts); err != nil {
				return op.failed(file, err)
			}
			t.docs = append(t.docs, d)
			t.byName[file] = d
		}
	}
	if len(t.on.files) == 0 {
		for _, d := range t.docs {
			t.printNames = append(t.printNames, d.name)
		}
	} else {
		t.printNames = t.on.names
	}
	return nil
}

func (t *txn) openFile(file string, opts *store.Options) (*store.Doc, error) {
	if t.db == nil {
		return store.OpenFile(file, opts)
	}
	key, ok := strings.CutSuffix(filepath.ToSlash(file), ".json")
	if !ok {
		return nil, usage("with --dir documents are files *.json")
	}
	return t.db.Doc(key), nil
}

func (t *txn) close() {
	for _, d := range t.docs {
		d.doc.Close()
	}
	if t.db != nil {
		t.db.Close()
	}
}
