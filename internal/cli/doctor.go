// The verb doctor: what there is to know about a directory before documents are kept in it.

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
		Short: "Tell whether a directory is fit for documents, at a glance",
		Long: `Tell whether a directory is fit for documents, at a glance: what its file system
is and can do, and which way documents are written there. It is . unless another
one is named, or a file in it. A few small files are made in it and removed.
Jsonstore verify tests what doctor only looks at. If the directory is not fit,
the exit code is 1.`,
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
	opts.AllowNetwork = true // to look at what is there is no risk
	opts.LockPath = ""       // it is that of one document
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
		fmt.Fprintf(&b, "\n%s\n", verdict(dir, fit, "to see it proved: jsonstore verify "+dir))
		err = a.print([]byte(b.String()))
	}
	if err == nil && !fit {
		err = errNo
	}
	return err
}

// inDirectory does something with the directory that is named, or that of the file that is.
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
		// Not that the directory is absent: nobody knows which one is meant.
		a.fail(dir, fmt.Errorf("the working directory is not there any longer (%v); "+
			"go to another one, or give an absolute path", err))
		return nil
	}
	// A document is replaced where it is, not where a link to it is.
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

// plainPath is an error about a path without the path, since messages begin with that. It
// keeps the exit code of an absent one.
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
	return dir + " is NOT fit for documents: see what is marked BAD"
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

// wrap breaks a text into lines of at most 110 columns, all but the first indented by so many.
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
