// Exit codes after signals.

package cli

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// A wait for a lock ends with the signal's own error, a computation with the context's;
// the exit code is the same.
func TestInterrupted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(file, []byte(`{"n":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := store.OpenFile(file, &store.Options{Locking: true, AllowNetwork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	expr := []string{"update", file, "--allow-network", "--dry-run", "--expr", "def f: f; f"}
	incr := []string{"incr", file, "n", "--allow-network", "--locking"}
	held, enough := make(chan struct{}), make(chan struct{})
	holder := make(chan error)
	go func() {
		_, err := doc.Update(t.Context(), func(old []byte) ([]byte, error) {
			close(held)
			<-enough
			return old, nil
		})
		holder <- err
	}()
	<-held
	soon := 100 * time.Millisecond // it waits for the lock then
	if runtime.GOOS == "windows" {
		// under Wine it takes some time to start the process for the expression
		soon = 2 * time.Second
	}
	for by, want := range map[os.Signal]int{
		os.Interrupt: exitInterrupted, syscall.SIGTERM: exitTerminated,
	} {
		for _, args := range [][]string{incr, expr} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(soon, func() { cancel(&signalError{by}) })
			var stderr strings.Builder
			got := run(ctx, args, strings.NewReader(""), &stderr, &stderr)
			if got != want || stderr.String() != "jsonstore: "+file+": interrupted\n" {
				t.Errorf("%s, %v: got %d, want %d: %s", args[0], by, got, want, &stderr)
			}
		}
	}
	close(enough)
	if err := <-holder; err != nil {
		t.Error(err)
	}
}
