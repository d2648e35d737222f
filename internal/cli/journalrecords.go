// The verbs that write and read the records of a journal: append, read, follow.

package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/jsonstore/jsonstore/journal"
	"github.com/jsonstore/jsonstore/store"
)

func (a *app) journalAppendCommand() *cobra.Command {
	var f journalFlags
	var asString bool
	cmd := &cobra.Command{
		Use:   "append FILE VALUE...",
		Short: "Append values, and print their numbers",
		Long: `Append JSON values to a journal, and print their numbers, one a line. The VALUE -
stands for standard input, with a value in each line: the lines that can be read at once
share a write and a flush, and their numbers are printed when they are durable. A line that
is no JSON ends it; those before it are in the journal.`,
		Example: `  jsonstore journal append audit.jsonl '{"user": "ada", "did": "login"}'
  tail -F app.log | jq -R --unbuffered . | jsonstore journal append app.jsonl - -q >/dev/null`,
		Args: cobra.MinimumNArgs(2),
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&asString, "string", false, "take each value as text, not as JSON")
	cmd.Flags().StringVar(&a.flags.createMode, "create-mode", "",
		"the `MODE` of a new journal, before the umask (default 0600)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		values, err := journalValues(args[1:], asString)
		if err != nil {
			return err
		}
		return a.withJournal(cmd.Context(), args[0], &f,
			func(ctx context.Context, j *journal.Journal) error {
				if values == nil {
					return a.appendLines(ctx, j, asString)
				}
				return a.appendValues(ctx, j, values)
			})
	}
	return cmd
}

// journalValues are the values of the command line, or nil for standard input.
func journalValues(args []string, asString bool) (values [][]byte, err error) {
	for _, arg := range args {
		value := []byte(unshield(arg))
		switch {
		case arg == "-" && len(args) == 1:
			return nil, nil
		case arg == "-":
			return nil, usage("- stands for all values; give it alone")
		case asString:
			if value, err = quoteText("the text for --string", string(value)); err != nil {
				return nil, err
			}
		}
		values = append(values, value)
	}
	return values, nil
}

func (a *app) appendValues(ctx context.Context, j *journal.Journal, values [][]byte) error {
	first, n, err := j.AppendAll(ctx, values...)
	if shown := a.showNumbers(j, first, n); shown != nil && err == nil {
		err = shown
	}
	return err
}

// showNumbers prints the numbers of appended values.
func (a *app) showNumbers(j *journal.Journal, first uint64, n int) error {
	if n == 0 {
		return nil
	}
	var b bytes.Buffer
	if a.flags.json {
		err := encodeLine(
			&b,
			segmentJSON{File: j.Name(), First: first, Last: first + uint64(n) - 1},
		)
		if err != nil {
			return err
		}
	} else {
		for i := range uint64(n) {
			b.Write(append(strconv.AppendUint(nil, first+i, 10), '\n'))
		}
	}
	if _, err := a.stdout.Write(b.Bytes()); err != nil {
		return &outputError{err: err, published: true}
	}
	return nil
}

const (
	lineBatch = 256 // lines of standard input in one append, at most
	batchSize = 1 << 20
)

// appendLines appends the lines of standard input. What can be read at once is one batch.
func (a *app) appendLines(ctx context.Context, j *journal.Journal, asString bool) error {
	lines, stop := a.inputLines(ctx)
	defer stop()
	number := 0
	for {
		var batch [][]byte
		var numbers []int // of their lines
		var inputErr error
		size, waits := 0, true
		for len(batch) < lineBatch && size < batchSize {
			line, ok := nextLine(ctx, lines, waits)
			if !ok {
				break
			}
			number++
			if inputErr = line.err; inputErr != nil {
				break
			}
			if len(bytes.TrimSpace(line.text)) == 0 && !asString {
				continue // as jq does
			}
			value := line.text
			if asString {
				value, inputErr = quoteText("a line of standard input", string(value))
				if inputErr != nil {
					break
				}
			}
			batch, numbers = append(batch, value), append(numbers, number)
			size, waits = size+len(value), false
		}
		first, n, err := a.appendGood(ctx, j, batch)
		if shown := a.showNumbers(j, first, n); err == nil {
			err = shown
		}
		if errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrTooLarge) {
			return atLine(numbers[n], err)
		}
		switch {
		case err != nil:
			return err
		case inputErr != nil:
			return atLine(number, inputErr)
		case waits: // there are no more lines
			return context.Cause(ctx)
		}
	}
}

// atLine says which line of standard input an error is about.
func atLine(number int, err error) error {
	var where *store.Error
	if errors.As(err, &where) {
		err = where.Err
	}
	return fmt.Errorf("standard input, line %d: %w", number, err)
}

// appendGood appends a batch, up to the first value that cannot be.
func (a *app) appendGood(ctx context.Context, j *journal.Journal, batch [][]byte) (
	first uint64, n int, err error,
) {
	if len(batch) == 0 {
		return 0, 0, nil
	}
	first, n, err = j.AppendAll(ctx, batch...)
	if n > 0 || !errors.Is(err, store.ErrInvalid) && !errors.Is(err, store.ErrTooLarge) {
		return first, n, err
	}
	for i, value := range batch {
		seq, err := j.Append(ctx, value)
		if i == 0 {
			first = seq
		}
		if err != nil {
			return first, i, err
		}
	}
	return first, len(batch), nil
}

// inputLine is a line of standard input, or the error of reading it.
type inputLine struct {
	text []byte
	err  error
}

// inputLines reads lines of standard input on a goroutine. A read cannot be interrupted:
// if the context ends first, the goroutine is left behind.
func (a *app) inputLines(ctx context.Context) (lines <-chan inputLine, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan inputLine, lineBatch)
	limit := int(a.flags.sizeLimit())
	go func() {
		defer close(out)
		in := bufio.NewScanner(a.stdin)
		in.Buffer(nil, limit+2)
		for in.Scan() {
			select {
			case out <- inputLine{text: bytes.Clone(in.Bytes())}:
			case <-ctx.Done():
				return
			}
		}
		err := in.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("%w: more than %d bytes; raise the limit with --max-size",
				store.ErrTooLarge, limit)
		}
		if err != nil {
			select {
			case out <- inputLine{err: err}:
			case <-ctx.Done():
			}
		}
	}()
	return out, cancel
}

// nextLine returns the next line, and waits for it or not. It is false if there is none.
func nextLine(ctx context.Context, lines <-chan inputLine, waits bool) (line inputLine, ok bool) {
	if !waits {
		select {
		case line, ok = <-lines:
			return line, ok
		default:
			return line, false
		}
	}
	select {
	case line, ok = <-lines:
		return line, ok
	case <-ctx.Done():
		return line, false
	}
}

func (a *app) journalReadCommand() *cobra.Command {
	var from, to uint64
	cmd := &cobra.Command{
		Use:   "read FILE",
		Short: "Print the records, one a line",
		Long: `Print the records, one a line, also those of compressed segments. With --json each
line has the number too. Records that cannot be read are named, those behind them are
printed, and the exit code is 5.`,
		Example: "  jsonstore journal read audit.jsonl --from 100 --to 200",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "begin with the record number `N` (default the oldest)")
	cmd.Flags().Uint64Var(&to, "to", 0, "end with the record number `N` (default the newest)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := errRange(from, to); err != nil {
			return err
		}
		return a.withJournal(cmd.Context(), args[0], nil,
			func(ctx context.Context, j *journal.Journal) error {
				if _, err := j.Last(ctx); err != nil {
					return err
				}
				return a.printRecords(j.Name(), to, true, j.Records(ctx, from))
			})
	}
	return cmd
}

func (a *app) journalFollowCommand() *cobra.Command {
	var from, to uint64
	cmd := &cobra.Command{
		Use:   "follow FILE",
		Short: "Print new records as they come, across rotation",
		Long: `Print new records as they come, one a line, until it is interrupted. With --from it
begins with older ones. The journal need not exist yet.`,
		Example: "  jsonstore journal follow audit.jsonl --from 1 | jq .user",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().Uint64Var(&from, "from", 0,
		"begin with the record number `N`, 1 for all (default the next one)")
	cmd.Flags().Uint64Var(&to, "to", 0, "end with the record number `N`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := errRange(from, to); err != nil {
			return err
		}
		return a.withJournal(cmd.Context(), args[0], nil,
			func(ctx context.Context, j *journal.Journal) error {
				from := from
				if from == 0 {
					last, err := j.Last(ctx)
					if err != nil && !isAbsent(err) {
						return err
					}
					from = last + 1
				}
				if to > 0 && from > to {
					return nil
				}
				return a.printRecords(j.Name(), to, false, j.Follow(ctx, from))
			})
	}
	return cmd
}

func isAbsent(err error) bool { return exitCode(err) == exitAbsent }

// printRecords prints records up to a number, 0 for all. What cannot be read is reported,
// and sets the exit code.
func (a *app) printRecords(
	file string, to uint64, buffered bool, records iter.Seq2[journal.Record, error],
) (err error) {
	out := io.Writer(a.stdout)
	if buffered {
		buffer := bufio.NewWriterSize(a.stdout, 64<<10)
		defer func() {
			if flushErr := wrote(buffer.Flush()); err == nil {
				err = flushErr
			}
		}()
		out = buffer
	}
	for r, err := range records {
		var bad *journal.CorruptError
		switch {
		case errors.As(err, &bad):
			if to == 0 || bad.First <= to {
				a.fail(file, err)
			}
			if to > 0 && bad.Last >= to {
				return nil
			}
			continue
		case err != nil:
			return err
		case to > 0 && r.Seq > to:
			return nil
		}
		if err := a.printRecord(out, file, r); err != nil {
			return err
		}
		if r.Seq == to {
			return nil
		}
	}
	return nil
}

func (a *app) printRecord(out io.Writer, file string, r journal.Record) error {
	if a.flags.json {
		return wrote(encodeLine(out, struct {
			File  string `json:"file"`
			Seq   uint64 `json:"seq"`
			Value any    `json:"value"`
		}{file, r.Seq, r.Value}))
	}
	_, err := out.Write(append(r.Value, '\n'))
	return wrote(err)
}
