// The verbs that print former versions of a document: show, diff.

package cli

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/store"
)

// atVersion is FILE or FILE@N.
type atVersion struct {
	file    string
	n       int
	version *store.Version // FILE@h:…, instead of n
}

// parseAt reads FILE@N or FILE@VERSION. A file with such a name is FILE@N@0.
func parseAt(arg string, needed bool) (at atVersion, err error) {
	arg = unshield(arg)
	i := strings.LastIndex(arg, "@")
	if i < 0 {
		if needed {
			return at, usage("%s: want FILE@N, where N counts back from the current version, 0; "+
				"see jsonstore log", arg)
		}
		return atVersion{file: arg}, nil
	}
	at.file = arg[:i]
	if strings.HasPrefix(arg[i+1:], "h:") {
		version, err := store.ParseVersion(arg[i+1:])
		if err != nil {
			return at, usage("%s: %v", arg, err)
		}
		at.version = &version
		return at, nil
	}
	if at.n, err = strconv.Atoi(arg[i+1:]); err != nil || at.n < 0 || at.file == "" {
		return at, usage("%s: want FILE@N, where N counts back from the current version, 0, or "+
			"FILE@VERSION by content; see jsonstore log", arg)
	}
	return at, nil
}

// find returns the entry of a version.
func (at atVersion) find(ctx context.Context, doc *store.Doc) (store.HistoryEntry, error) {
	most := 0
	for e, err := range doc.History(ctx) {
		switch {
		case err != nil:
			return e, err
		case at.version != nil && e.Version == *at.version, at.version == nil && e.N == at.n:
			return e, nil
		}
		most = e.N
	}
	if at.version != nil {
		return store.HistoryEntry{}, fmt.Errorf("%w: its history has no version %s", fs.ErrNotExist,
			at.version)
	}
	if at.n == 0 {
		return store.HistoryEntry{}, store.ErrNotExist
	}
	return store.HistoryEntry{}, fmt.Errorf("%w: there is no version @%d; the oldest is @%d",
		fs.ErrNotExist, at.n, most)
}

func (at atVersion) read(ctx context.Context, doc *store.Doc) (store.HistoryEntry, []byte, error) {
	e, err := at.find(ctx, doc)
	if err != nil {
		return e, nil, err
	}
	data, err := doc.ReadHistory(ctx, e)
	return e, data, err
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE@N",
		Short: "Print a former version of the document",
		Long: `Print a former version of the document: @1 is the one before the current one, @0 that
itself. In the place of N, a version by content as log prints it (h:…) says which one,
whatever is written meanwhile.`,
		Example: `  jsonstore show settings.json@1
  jsonstore show settings.json@h:527ecd3f24e62407313b134362580c43-18`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parseAt(args[0], true)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), at.file, func(ctx context.Context, doc *store.Doc) error {
				e, data, err := at.read(ctx, doc)
				if err != nil {
					return err
				}
				return a.show(result{File: doc.Name(), Value: data, Version: &e.Version}, data)
			})
		},
	}
}

func (a *app) diffCommand() *cobra.Command {
	var paths bool
	cmd := &cobra.Command{
		Use:   "diff FILE@N [FILE@M]",
		Short: "Print what has changed from one version of the document to another",
		Long: `Print what has changed from one version of the document to another, as a unified
diff, or with --paths as the paths of what differs: + was added, - was removed, else changed. The
second one is by default the current version; it may be of another document. The exit code is
1 if they differ, with --paths if their values do, and else 0.`,
		Example: `  jsonstore diff settings.json@1
  jsonstore diff settings.json@3 settings.json@1 --paths`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVar(&paths, "paths", false, "print the paths of what differs")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := parseAt(args[0], true)
		if err != nil {
			return err
		}
		to := atVersion{file: from.file}
		if len(args) == 2 {
			if to, err = parseAt(args[1], false); err != nil {
				return err
			}
		}
		var before, after []byte
		read := func(at atVersion, into *[]byte) {
			if a.code != exitDone || err != nil {
				return
			}
			err = a.with(cmd.Context(), at.file, func(ctx context.Context, doc *store.Doc) error {
				_, data, err := at.read(ctx, doc)
				*into = data
				return err
			})
		}
		read(from, &before)
		read(to, &after)
		if a.code != exitDone || err != nil {
			return err
		}
		return a.printDiff(from, to, before, after, paths)
	}
	return cmd
}

func (a *app) printDiff(from, to atVersion, before, after []byte, paths bool) error {
	changed, err := a.changedPaths(before, after, 1<<16)
	if err != nil {
		a.fail(to.file, err)
		return nil
	}
	text := udiff.Unified(from.String(), to.String(), string(before), string(after))
	differs := text != ""
	if paths {
		text, differs = strings.Join(changed, "\n"), len(changed) > 0
	}
	switch {
	case a.flags.json:
		err = wrote(encodeLine(a.stdout, struct {
			From    string   `json:"from"`
			To      string   `json:"to"`
			Changes []string `json:"changes"`
			Diff    string   `json:"diff,omitempty"`
		}{from.String(), to.String(), append([]string{}, changed...), text}))
	case differs:
		err = a.print([]byte(text))
	}
	if err == nil && differs {
		err = errNo
	}
	return err
}

func (at atVersion) String() string {
	if at.version != nil {
		return at.file + "@" + at.version.String()
	}
	return fmt.Sprintf("%s@%d", at.file, at.n)
}
