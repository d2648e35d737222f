// The commands that the verb watch runs, one at a time.

package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

const (
	watchFileVariable    = "JSONSTORE_WATCH_FILE"
	watchVersionVariable = "JSONSTORE_WATCH_VERSION"

	// watchGrace is how long a command may go on after SIGTERM when the watch ends.
	watchGrace = 5 * time.Second
)

// run runs the command for a state, and waits for its end. If the context ends first, the
// command gets SIGTERM. An exit code other than 0 is reported, and the watch goes on.
func (w *watching) run(
	ctx context.Context, file string, event store.Event, value []byte,
) error {
	stdin, input, err := os.Pipe()
	if err != nil {
		return err
	}
	path, args := inShell(w.command)
	child, err := startChild(command{path, args, true}, watchEnvironment(file, event.Version),
		stdin)
	stdin.Close()
	if err != nil {
		input.Close()
		return fmt.Errorf("run %s: %w", path, err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = input.Write(value) // a command need not read all of it
		input.Close()
	}()
	ended := make(chan error, 1)
	go func() { ended <- child.wait() }()
	stopped := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case <-stopped:
			stopped = nil
			child.terminate()
			timer := time.NewTimer(watchGrace)
			defer timer.Stop()
			kill = timer.C
		case <-kill:
			child.kill()
		case err := <-ended:
			code := 0
			if err == nil {
				code, err = child.exitCode()
			}
			input.Close() // what the command has left may hold the other end
			<-written
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				return fmt.Errorf("wait for the command: %w", err)
			}
			if code != 0 {
				w.app.note(file, "the command failed with exit code %d at version %s", code,
					event.Version)
			}
			return nil
		}
	}
}

// watchEnvironment is ours with the variables of a state.
func watchEnvironment(file string, version store.Version) []string {
	if path, err := filepath.Abs(file); err == nil {
		file = path
	}
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "JSONSTORE_WATCH_")
	})
	return append(env, watchFileVariable+"="+file, watchVersionVariable+"="+version.String())
}
