// The verb merge: a three-way merge of files, also as git's merge driver.

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/merge"
	"github.com/jsonstore/jsonstore/store"
)

type merging struct {
	app *app
	writeFlags
	out                     string
	mark, ours, theirs, git bool
}

func (a *app) mergeCommand() *cobra.Command {
	m := &merging{app: a}
	cmd := &cobra.Command{
		Use:   "merge BASE OURS THEIRS [-o FILE]",
		Short: "Merge the changes of two files that began as a third, by path",
		Long: `Merge the changes of two files that began as a third, by path, and print the result:
OURS with the changes that THEIRS has made in BASE. What THEIRS has not changed keeps its
bytes. Elements of arrays are aligned by their value or id, not by their index. A file may be
-, for standard input; an empty BASE, such as /dev/null, means that both began with nothing.

If both have changed a value in different ways, that is a conflict: it is listed on standard
error, there is no result, and the exit code is 1. With --mark there is a result too: in the
place of the value it has {"` + merge.MarkKey + `": {"base": …, "ours": …, "theirs": …}}, without
those that have no value.

With -o the result is written to a document like by the other verbs that write. If that is
OURS, and it changes meanwhile, it is merged as it is then.

With --git it is git's merge driver, which replaces OURS, a file of git's own, without a lock,
and marks conflicts. What is no JSON is left to git merge-file.`,
		Example: `  jsonstore merge base.json ours.json theirs.json
  jsonstore merge base.json settings.json theirs.json -o settings.json
  git config merge.json.driver 'jsonstore merge --git %O %A %B'
  echo '*.json merge=json' >> .gitattributes`,
		Args: cobra.ExactArgs(3),
		RunE: m.run,
	}
	flags := cmd.Flags()
	flags.StringVarP(&m.out, "output", "o", "", "write the result to the document `FILE`")
	flags.BoolVar(&m.mark, "mark", false, "write conflicts into the result")
	flags.BoolVar(&m.ours, "ours", false, "at a conflict take the value of OURS")
	flags.BoolVar(&m.theirs, "theirs", false, "at a conflict take the value of THEIRS")
	flags.BoolVar(&m.git, "git", false, "be git's merge driver")
	return a.writeCommand(cmd, &m.writeFlags)
}

func (m *merging) options() (*merge.Options, error) {
	opts := &merge.Options{AllowDuplicateKeys: m.app.flags.duplicates}
	count := 0
	for _, f := range []struct {
		given bool
		is    merge.Resolution
	}{
		{m.mark || m.git && !m.ours && !m.theirs, merge.Mark},
		{m.ours, merge.PreferOurs}, {m.theirs, merge.PreferTheirs},
	} {
		if f.given {
			opts.Resolution = f.is
			count++
		}
	}
	if count > 1 {
		return nil, usage("--mark, --ours and --theirs exclude each other; give one")
	}
	return opts, nil
}

func (m *merging) run(cmd *cobra.Command, args []string) error {
	opts, err := m.options()
	if err != nil {
		return err
	}
	writes := cmd.Flags().Changed("output")
	for _, name := range []string{"expect", "exit-changed", "create-mode"} {
		if !writes && cmd.Flags().Changed(name) {
			return usage("--%s needs -o: nothing is written", name)
		}
	}
	if m.git && writes {
		return usage("--git writes to OURS; it takes no -o")
	}
	if dashes := slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		return arg != "-"
	}); len(dashes) > 1 {
		return usage("only one file can be standard input")
	}
	var texts [3][]byte
	var isOut [3]bool
	for i, arg := range args {
		path := unshield(arg)
		isOut[i] = writes && sameFile(path, unshield(m.out))
		texts[i], err = m.text(cmd.Context(), path, i == 0)
		if err == nil && len(texts[i]) == 0 && i > 0 && !m.git {
			err = fmt.Errorf("%w JSON: it is empty, which only BASE may be", store.ErrInvalid)
		}
		if err != nil {
			m.app.fail(path, err)
			return nil
		}
	}
	switch {
	case m.git:
		return m.drive(cmd.Context(), args, texts, opts)
	case !writes:
		merged, err := merge.Three(texts[0], texts[1], texts[2], opts)
		return m.tell(result{File: unshield(args[1])}, merged, named(args, err))
	}
	return m.app.write(cmd, &m.writeFlags, []string{m.out},
		func(ctx context.Context, doc *store.Doc) (w written, err error) {
			var conflicts *merge.Conflicts
			version, err := doc.Update(ctx, func(old []byte) ([]byte, error) {
				for i := range texts {
					if isOut[i] {
						texts[i] = old // it may have changed since it was read
					}
				}
				merged, err := merge.Three(texts[0], texts[1], texts[2], opts)
				conflicts = nil
				if errors.As(err, &conflicts) && merged != nil {
					err = nil
				}
				return merged, named(args, err)
			})
			if conflicts != nil {
				w.Conflicts, w.no = conflicts.List, true
				m.list(doc.Name(), conflicts.List)
				if errors.As(err, &conflicts) {
					w.Changed = new(bool)
					return w, nil
				}
			}
			w.Version = &version
			return w, err
		})
}

// named names the file that is invalid in the error of a merge.
func named(files []string, err error) error {
	var at *splice.SideError
	var conflicts *merge.Conflicts
	if err == nil || errors.As(err, &conflicts) {
		return err
	}
	if !errors.As(err, &at) {
		return fmt.Errorf("%w result: %w", store.ErrInvalid, err)
	}
	file := map[string]string{"base": files[0], "ours": files[1], "theirs": files[2]}[at.Side]
	return fmt.Errorf("%w JSON in %s: %w", store.ErrInvalid, unshield(file), at.Err)
}

// tell prints a result that is not written to a document.
func (m *merging) tell(r result, merged []byte, err error) error {
	var conflicts *merge.Conflicts
	if err != nil && !errors.As(err, &conflicts) {
		return err
	}
	r.Value = merged
	if conflicts != nil {
		r.Conflicts = conflicts.List
		m.list(r.File, conflicts.List)
	}
	if err := m.app.show(r, merged); err != nil {
		return err
	}
	if conflicts != nil {
		return errNo
	}
	return nil
}

// list prints conflicts on standard error.
func (m *merging) list(file string, conflicts []merge.Conflict) {
	if m.app.flags.quiet || m.app.flags.json {
		return
	}
	for _, c := range conflicts {
		fmt.Fprintf(m.app.stderr, "jsonstore: %s: conflict at %s\n", file, c)
	}
}

// text reads one of the files: a document like the other verbs do, all else to its end.
func (m *merging) text(ctx context.Context, path string, mayBeEmpty bool) ([]byte, error) {
	limit := m.app.flags.sizeLimit()
	if path == "-" {
		return m.app.input(ctx, limit)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainError(err)
	}
	if info.Mode().IsRegular() && !m.git && (info.Size() > 0 || !mayBeEmpty) {
		opts, err := m.app.flags.options()
		if err != nil {
			return nil, err
		}
		opts.LockPath = "" // that of the document
		doc, err := store.OpenFile(path, opts)
		if err != nil {
			return nil, err
		}
		defer doc.Close()
		ctx, cancel := m.app.context(ctx)
		defer cancel()
		data, _, err := doc.Read(ctx)
		return data, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, plainError(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: more than %d bytes; raise the limit with --max-size",
			store.ErrTooLarge, limit)
	}
	return data, plainError(err)
}

// plainError is an error without the name of the file, which its message has already.
func plainError(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// sameFile reports whether two names lead to one file, or would.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return os.SameFile(x, y)
	}
	return filepath.Clean(a) == filepath.Clean(b)
}

// drive is git's merge driver. Git takes the exit codes 0 and 1 for a merge without and
// with conflicts, and the content of OURS for the result.
func (m *merging) drive(
	ctx context.Context, files []string, texts [3][]byte, opts *merge.Options,
) error {
	ours := unshield(files[1])
	merged, err := merge.Three(texts[0], texts[1], texts[2], opts)
	var invalid *splice.SideError
	if errors.As(err, &invalid) {
		return m.asText(ctx, files, invalid)
	}
	var conflicts *merge.Conflicts
	if err != nil && !errors.As(err, &conflicts) {
		m.app.fail(ours, err)
		return nil
	}
	if !bytes.Equal(merged, texts[1]) {
		if err := replaceFile(ours, merged, 0o600); err != nil {
			m.app.fail(ours, err)
			return nil
		}
	}
	if conflicts == nil {
		return nil
	}
	for _, c := range conflicts.List {
		if !m.app.flags.quiet {
			fmt.Fprintf(m.app.stderr, "jsonstore: conflict at %s\n", c)
		}
	}
	return errNo
}

// asText merges line by line, since one of the files is no JSON.
func (m *merging) asText(ctx context.Context, files []string, invalid error) error {
	if !m.app.flags.quiet {
		fmt.Fprintf(m.app.stderr, "jsonstore: %v; merged as text\n", invalid)
	}
	side := []string{}
	if m.ours {
		side = append(side, "--ours")
	}
	if m.theirs {
		side = append(side, "--theirs")
	}
	args := append([]string{"merge-file", "-q"}, side...)
	args = append(args, "-L", "ours", "-L", "base", "-L", "theirs", "--",
		unshield(files[1]), unshield(files[0]), unshield(files[2]))
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Stdout, cmd.Stderr = m.app.stderr, m.app.stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && 0 < exit.ExitCode() && exit.ExitCode() < 128:
		return errNo // so many conflicts
	}
	m.app.fail("", fmt.Errorf("git merge-file: %w", err))
	return nil
}
