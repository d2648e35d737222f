// How a verb opens the named documents and reads its input.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/jsonstore/jsonstore/store"
)

// context returns a context that ends after --timeout.
func (a *app) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.flags.timeout > 0 {
		return context.WithTimeout(ctx, a.flags.timeout)
	}
	return context.WithCancel(ctx)
}

// onDocument is what a verb does with a document.
type onDocument func(ctx context.Context, doc *store.Doc) error

// with opens the document in a file and calls do with it. An error is reported and sets
// the exit code.
func (a *app) with(ctx context.Context, file string, do onDocument) error {
	file = unshield(file)
	opts, err := a.flags.options()
	if err != nil {
		return err
	}
	ctx, cancel := a.context(ctx)
	defer cancel()
	doc, err := store.OpenFile(file, opts)
	if err == nil {
		err = do(ctx, doc)
		var output *outputError
		if errors.As(err, &output) {
			output.published = doc.Stats().Writes > 0
		}
		doc.Close()
	}
	if err != nil {
		a.fail(file, err)
	}
	return nil
}

// each calls with for one file, or for several with --each, by which the user accepts
// that they are no transaction.
func (a *app) each(ctx context.Context, files []string, each bool, do onDocument) error {
	if len(files) > 1 && !each {
		return usage("several files are changed one by one, not all or none; " +
			"say --each if that is what you want")
	}
	for _, file := range files {
		if err := a.with(ctx, file, do); err != nil {
			return err
		}
		if ctx.Err() != nil || a.unheard {
			break // interrupted, or nobody reads the results: leave the other files alone
		}
	}
	return nil
}

// readOrAbsent is Doc.Read, but an absent document is no error: its version is Absent.
// Other errors also come with the version Absent, and stay errors.
func readOrAbsent(ctx context.Context, doc *store.Doc) ([]byte, store.Version, error) {
	data, version, err := doc.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) && version.IsAbsent() {
		err = nil
	}
	return data, version, err
}

// value is the JSON value of an argument; - reads it from standard input.
func (a *app) value(ctx context.Context, arg string, asString bool) ([]byte, error) {
	arg = unshield(arg)
	data := []byte(arg)
	if arg == "-" {
		var err error
		if data, err = a.input(ctx, a.flags.sizeLimit()); err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		if asString {
			data = []byte(strings.TrimSuffix(string(data), "\n"))
		}
	}
	if asString {
		return quoteText("the text for --string", string(data))
	}
	return data, nil
}

// input reads standard input, of at most limit bytes, to its end. The read cannot be
// interrupted: if the context ends first, its goroutine is left behind.
func (a *app) input(ctx context.Context, limit int64) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	read := make(chan content, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(a.stdin, limit+1))
		read <- content{data, err}
	}()
	select {
	case got := <-read:
		if got.err == nil && int64(len(got.data)) > limit {
			return nil, fmt.Errorf("%w: more than %d bytes; raise the limit with --max-size",
				store.ErrTooLarge, limit)
		}
		return got.data, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// quoteText returns text as a JSON string, or an error if it is not valid UTF-8.
func quoteText(what, text string) ([]byte, error) {
	if err := checkText(what, text); err != nil {
		return nil, err
	}
	return quote(text), nil
}

func checkText(what, text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	return usage("%s is not valid UTF-8, as JSON must be: %.60q; convert it first, "+
		"for example with iconv",
		what, text)
}
