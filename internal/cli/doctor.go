// The verb doctor: whether a directory is fit for documents, by inspection.

package cli

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/verify"
)

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [DIR]",
		Short: "Check quickly whether a directory is fit for documents",
		Long: `Check quickly whether a directory is fit for documents: what its file system is and
can do, and how documents are written there. DIR is . by default; for a file it is
the file's directory. A few small files are made there and removed. Doctor only
inspects; jsonstore verify tests. If the directory is not fit, the exit code is 1.`,
		Example: `  jsonstore doctor state/
  jsonstore doctor --json | jq .fit`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.inDirectory(cmd.Context(), args, a.doctor)
	}
	return cmd
}

// doctored is what doctor prints in JSON.
type doctored struct {
	Dir             string           `json:"dir"`
	Fit             bool             `json:"fit"`
	Facts           verify.Facts     `json:"facts"`
	DurabilityOrder string           `json:"durability_order"`
	Litter          verify.Litter    `json:"litter"`
	Findings        []verify.Finding `json:"findings"`
}

func (a *app) doctor(ctx context.Context, dir string) error {
	opts, err := a.flags.options()
	if err != nil {
		return err
	}
	program, err := self(verifyWorkerVerb)
	if err != nil {
		return err
	}
	files := fsys.New()
	opts.AllowNetwork = true // inspection is no risk
	opts.LockPath = ""       // the option is for one document
	litter, err := verify.Look(ctx, files, dir, opts)
	if err != nil {
		return err
	}
	facts := verify.Probe(ctx, files, dir, verify.AskBy(program))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	findings := append(verify.Judge(facts, a.flags.allowNetwork), litter.Findings()...)
	fit := verify.Fit(findings)
	if a.flags.json {
		report := doctored{dir, fit, facts, facts.DurabilityOrder(), litter, findings}
		err = wrote(encodeLine(a.stdout, report))
	} else {
		var b strings.Builder
		writeFindings(&b, findings)
		fmt.Fprintf(&b, "\n%s\n", verdict(dir, fit, "to test it: jsonstore verify "+dir))
		err = a.print([]byte(b.String()))
	}
	if err == nil && !fit {
		err = errNo
	}
	return err
}

// inDirectory calls do with the named directory, or with the directory of the named
// file.
func (a *app) inDirectory(
	ctx context.Context, args []string, do func(ctx context.Context, dir string) error,
) error {
	dir := "."
	if len(args) > 0 {
		dir = filepath.Clean(unshield(args[0]))
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	if _, err := filepath.Abs(dir); err != nil {
		// Not "the directory is absent": a relative path means nothing here.
		a.fail(dir, fmt.Errorf("the working directory is not there any longer (%v); "+
			"go to another one, or give an absolute path", err))
		return nil
	}
	// A document is replaced in its own directory, not in that of a link to it.
	path, err := filepath.EvalSymlinks(dir)
	var info fsys.Info
	if err == nil {
		info, err = fsys.New().Lstat(path)
	}
	if err == nil && !info.Mode.IsDir() {
		if info.Mode.IsRegular() {
			dir = filepath.Dir(path)
		} else {
			err = fmt.Errorf("is neither a directory nor a document (%v)", info.Mode.Type())
		}
	}
	if err == nil {
		err = do(ctx, dir)
	}
	if err != nil {
		a.fail(dir, plainPath(err))
	}
	return nil
}

// plainPath drops the path from an error, since messages begin with it. The error still
// matches fs.ErrNotExist, and so keeps its exit code.
func plainPath(err error) error {
	if where, ok := err.(*fs.PathError); ok {
		return fmt.Errorf("%s: %w", where.Op, where.Err)
	}
	return err
}

func verdict(dir string, fit bool, more string) string {
	if fit {
		return dir + " is fit for documents; " + more
	}
	return dir + " is NOT fit for documents: see the lines marked BAD"
}

var marks = map[verify.State]string{verify.OK: "ok  ", verify.Note: "note", verify.Bad: "BAD "}

func writeFindings(b *strings.Builder, findings []verify.Finding) {
	for _, f := range findings {
		writeRow(b, f.State, f.Name, f.Text)
	}
}

const indent = 26 // of the text of a row

func writeRow(b *strings.Builder, state verify.State, name, text string) {
	fmt.Fprintf(b, "%s  %-19s %s\n", marks[state], name, wrap(text, indent))
}

// wrap breaks a text into lines of at most 110 columns, all but the first indented.
func wrap(text string, indent int) string {
	var b strings.Builder
	column := indent
	for i, word := range strings.Split(text, " ") {
		width := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+width > 110:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
	}
	return b.String()
}
