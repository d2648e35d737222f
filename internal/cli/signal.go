// Signals that end the command, and its exit code then.

package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// ending are the signals that end a run in good order.
var ending = []os.Signal{os.Interrupt, syscall.SIGTERM}

// signalError is the cause of a context that a signal ended. It matches
// context.Canceled, since callers may report the context's error or its cause.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return context.Canceled.Error() }
func (e *signalError) Unwrap() error { return context.Canceled }

// untilSignal returns a context that the first signal ends. The second one ends the process.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, ending...)
	go func() {
		select {
		case got := <-signals:
			cancel(&signalError{got})
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	return ctx, func() { cancel(nil) }
}

// interruptedBy is the exit code of a run that a signal ended: as in a shell, 128 plus
// the signal's number.
func interruptedBy(cause error) int {
	var by *signalError
	if errors.As(cause, &by) && by.signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}
