// Signals: which of them end the command, and what it then exits with.

package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// ending are the signals that end what is under way in good order.
var ending = []os.Signal{os.Interrupt, syscall.SIGTERM}

// signalError is the cause of a context that a signal has ended, and stands for context.Canceled:
// what looks at a context may tell of either.
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

// interruptedBy is the exit code of a run that was ended so: as of a shell, 128 and the signal's
// number.
func interruptedBy(cause error) int {
	var by *signalError
	if errors.As(cause, &by) && by.signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}
