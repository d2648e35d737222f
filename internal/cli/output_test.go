// Tests of exit codes, and of the end of waiting for input.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{errNo, exitNo},
		{usage("no"), exitUsage},
		{store.ErrVersion, exitUsage},
		{store.ErrPath, exitUsage},
		{store.ErrKey, exitUsage},
		{&compileError{errors.New("no")}, exitCompile},
		{store.ErrNotExist, exitAbsent},
		{store.ErrInvalid, exitInvalid},
		{store.ErrTooLarge, exitInvalid},
		{&runtimeError{errors.New("no")}, exitInvalid},
		{store.ErrConflict, exitConflict},
		{&store.ConflictError{Key: "a.json"}, exitConflict},
		{store.ErrLocked, exitTimeout},
		{context.DeadlineExceeded, exitTimeout},
		{store.ErrNotDurable, exitIO},
		{store.ErrUnsupported, exitIO},
		{fs.ErrPermission, exitIO},
		{errors.New("unheard of"), exitIO},
		{&outputError{err: io.ErrClosedPipe}, exitIO},
		{context.Canceled, exitInterrupted},
		// An interrupt or timeout determines the code, whatever else failed meanwhile.
		{fmt.Errorf("%w after 3 tries: %w", store.ErrConflict, context.DeadlineExceeded), exitTimeout},
		{fmt.Errorf("%w after 3 tries: %w", store.ErrConflict, context.Canceled), exitInterrupted},
		// It was published: the code must not be that of a conflict, which callers
		// retry.
		{fmt.Errorf("%w: %w", store.ErrNotDurable, store.ErrConflict), exitIO},
	} {
		wrapped := &store.Error{Op: "update", Name: "a.json", Err: test.err}
		for _, err := range []error{test.err, wrapped} {
			if got := exitCode(err); got != test.want {
				t.Errorf("%v: exit code %d, want %d", err, got, test.want)
			}
		}
	}
}

// Reading a standard input that stays open without data, such as a terminal, ends with
// the context.
func TestInputEnds(t *testing.T) {
	stdin, silent := io.Pipe()
	defer silent.Close()
	a := &app{stdin: stdin}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := a.value(ctx, "-", false); exitCode(err) != exitTimeout {
		t.Errorf("got %v, want that it timed out", err)
	}
}

// A signal ends it too.
func TestInputInterrupted(t *testing.T) {
	stdin, silent := io.Pipe()
	defer silent.Close()
	a := &app{stdin: stdin}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := a.value(ctx, "-", false); exitCode(err) != exitInterrupted {
		t.Errorf("got %v, want that it was interrupted", err)
	}
}
