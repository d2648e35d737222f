// The verb recover: a good version takes the place of a broken document.

package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/store"
)

func (a *app) recoverCommand() *cobra.Command {
	var each bool
	opts := store.RecoverOptions{}
	cmd := &cobra.Command{
		Use:   "recover FILE",
		Short: "Put the newest good version beside a broken document in its place",
		Long: `Put the newest good version beside a broken document in its place. A document is
broken if it is empty or not valid JSON, or if it is absent while a version of it is
there. The broken file is moved aside, to FILE.invalid-<time>; nothing is removed. What
was done is printed. These are looked at, and the newest valid one is taken:

  kept      .FILE.kept, from a write with --keep-last
  history   .FILE.<digits>.history, kept since jsonstore history on
  staged    what a writer was about to publish when it died
  guarded   what a writer with --guard had displaced when it died

A valid document is left as it is, unless --from says what is to take its place: one of
these kinds, or a file in the same directory. Then the document itself becomes
FILE.replaced-<time>. If there is nothing to take, nothing is changed, and the exit code is
5, or 4 for an absent document.`,
		Example: `  jsonstore recover settings.json --dry-run
  jsonstore recover settings.json --from kept
  jsonstore recover settings.json --from settings.json.bak
  jsonstore recover state/*.json --each`,
		Args: cobra.MinimumNArgs(1),
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.DryRun, "dry-run", false, "change nothing; print what would be done")
	flags.StringVar(&opts.From, "from", "",
		"take this, even if the document is valid: `WHAT` is kept, history, staged, guarded or "+
			"a file")
	flags.BoolVar(&each, "each", false, "take several files, each on its own")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.From = unshield(opts.From)
		if cmd.Flags().Changed("from") && opts.From == "" {
			return usage("--from: want kept, history, staged, guarded or a file")
		}
		if dir, _ := filepath.Split(opts.From); dir != "" {
			path, err := filepath.Abs(opts.From)
			if err != nil {
				return err
			}
			opts.From = path
		}
		return a.each(cmd.Context(), args, each, func(ctx context.Context, doc *store.Doc) error {
			heard := a.tellWait([]*store.Doc{doc})
			r, err := doc.Recover(ctx, &opts)
			heard()
			if err != nil && !errors.Is(err, store.ErrNotDurable) {
				return err
			}
			if a.flags.json {
				return errors.Join(err, wrote(encodeLine(a.stdout, recoveredOf(doc, r))))
			}
			return errors.Join(err, a.print([]byte(recoveredText(doc, r, opts.DryRun))))
		})
	}
	return cmd
}

// recovered is what recover prints in JSON.
type recovered struct {
	File       string         `json:"file"`
	Valid      bool           `json:"valid"` // as it was found
	Problem    string         `json:"problem,omitempty"`
	Before     store.Version  `json:"before"`
	Changed    bool           `json:"changed"` // or would be
	Taken      *candidate     `json:"taken,omitempty"`
	Aside      string         `json:"aside,omitempty"`
	Version    *store.Version `json:"version"`
	Candidates []*candidate   `json:"candidates"`
}

// candidate is a file beside the document with a version of it.
type candidate struct {
	Kind     store.CandidateKind `json:"kind"`
	File     string              `json:"file"`
	Modified time.Time           `json:"modified"`
	Size     int64               `json:"size"`
	Hash     store.Version       `json:"hash"`
	Problem  string              `json:"problem,omitempty"`
}

func candidateOf(c *store.Candidate) *candidate {
	if c == nil {
		return nil
	}
	out := &candidate{
		Kind: c.Kind, File: c.Path, Modified: c.ModTime, Size: c.Size, Hash: c.Version,
	}
	if c.Problem != nil {
		out.Problem = c.Problem.Error()
	}
	return out
}

func recoveredOf(doc *store.Doc, r store.Recovered) recovered {
	out := recovered{
		File: doc.Name(), Valid: r.Problem == nil, Before: r.Before, Changed: r.Taken != nil,
		Taken: candidateOf(r.Taken), Aside: r.Aside, Version: &r.Version,
		Candidates: []*candidate{},
	}
	if r.Problem != nil {
		out.Problem = r.Problem.Error()
	}
	for _, c := range r.Candidates {
		out.Candidates = append(out.Candidates, candidateOf(&c))
	}
	return out
}

// recoveredText is the output of recover without --json.
func recoveredText(doc *store.Doc, r store.Recovered, dry bool) string {
	var b strings.Builder
	found := "valid"
	switch {
	case errors.Is(r.Problem, store.ErrNotExist):
		found = "absent"
	case r.Problem != nil:
		found = r.Problem.Error()
	}
	if r.Taken == nil {
		return fmt.Sprintf("%s: %s; nothing to recover\n", doc.Name(), found)
	}
	done := func(text string) string {
		if dry {
			return "would be " + text
		}
		return text
	}
	fmt.Fprintf(&b, "%s: %s\n", doc.Name(), found)
	row := func(name, text string) { fmt.Fprintf(&b, "  %-22s %s\n", name+":", text) }
	if r.Aside != "" {
		row(done("moved aside"), r.Aside)
	}
	row(done("recovered"), candidateText(*r.Taken))
	for _, c := range r.Candidates {
		if c.Path != r.Taken.Path {
			row("not taken", candidateText(c))
		}
	}
	if !dry {
		row("version", r.Version.String())
	}
	return b.String()
}

// candidateText describes a candidate in a line.
func candidateText(c store.Candidate) string {
	text := fmt.Sprintf("%s, %s", c.Kind, filepath.Base(c.Path))
	if !c.ModTime.IsZero() {
		text += fmt.Sprintf(", %s, %d bytes", c.ModTime.Format(time.RFC3339Nano), c.Size)
	}
	if !c.Version.IsAbsent() {
		text += ", " + c.Version.String()
	}
	if c.Problem != nil {
		text += ": " + c.Problem.Error()
	}
	return text
}
