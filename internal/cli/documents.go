// How a verb opens the documents that are named, and reads what is to be put there.

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

// context ends when --timeout says so.
func (a *app) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.flags.timeout > 0 {
		return context.WithTimeout(ctx, a.flags.timeout)
	}
	return context.WithCancel(ctx)
}

// onDocument is what a verb does with a document.
type onDocument func(ctx context.Context, doc *store.Doc) error

// with opens the document in a file and does something with it. What goes wrong is told
// and makes the exit code.
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

// each is with for one file, or for several if --each says that they are no transaction.
func (a *app) each(ctx context.Context, files []string, each bool, do onDocument) error {
	if len(files) > 1 && !each {
		return usage("several files are changed one by one, not all or none: " +
			"say --each if that is meant")
	}
	for _, file := range files {
		if err := a.with(ctx, file, do); err != nil {
			return err
		}
		if ctx.Err() != nil || a.unheard {
			break // who stopped us, or stopped listening, does not want the others changed
		}
	}
	return nil
}

// readOrAbsent is Doc.Read for which an absent document is no error: it has the version
// Absent. Other errors come with that version too, and are errors.
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
		if data, err = a.input(ctx); err != nil {
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

// input reads standard input to its end. Nothing can interrupt the read itself, so that it
// is left behind when the context ends first.
func (a *app) input(ctx context.Context) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	limit := a.flags.sizeLimit()
	read := make(chan content, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(a.stdin, limit+1))
		read <- content{data, err}
	}()
	select {
	case got := <-read:
		if got.err == nil && int64(len(got.data)) > limit {
			return nil, fmt.Errorf("%w: more than %d bytes; allow more by --max-size",
				store.ErrTooLarge, limit)
		}
		return got.data, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// quoteText writes text as JSON, and complains about text that JSON cannot hold.
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
	return usage("%s is not valid UTF-8, which JSON has to be: %.60q; convert it first, "+
		"as by iconv",
		what, text)
}
