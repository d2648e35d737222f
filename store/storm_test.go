// Storms: many goroutines on one handle, some of which give up, and the sum of what they
// were told must be what the document is.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// rounds is how many rounds a storm has, as JSONSTORE_ROUNDS says; 0 is as many as fit in
// its time.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("JSONSTORE_ROUNDS")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("JSONSTORE_ROUNDS is %q", text)
	}
	return n
}

// stormTime is how long a storm lasts in an ordinary run.
const stormTime = 500 * time.Millisecond

// storm tells whether there is to be another round.
func storm(limit int, lasts time.Duration) (more func(round int) bool) {
	end := time.Now().Add(lasts)
	return func(round int) bool {
		return round < limit || limit == 0 && time.Now().Before(end)
	}
}

// eachCombination runs a storm in each combination of durability, way and kind of
// version.
func eachCombination(t *testing.T, run func(t *testing.T, opts store.Options)) {
	for _, durability := range []store.Durability{store.Durable, store.Volatile} {
		for _, locking := range []bool{false, true} {
			for _, versions := range []store.VersionMode{store.VersionHash, store.VersionMtime} {
				name := fmt.Sprint(durability, " ", versions)
				if locking {
					name += " locking"
				}
				t.Run(name, func(t *testing.T) {
					run(t, store.Options{
						Durability: durability, Versions: versions, Locking: locking,
					})
				})
			}
		}
	}
}

// TestStormOfThoseWhoLeave: six goroutines add or take one, half of them until a random
// moment. When all have been told, the document is the sum of what was acknowledged:
// nothing is lost, and nothing is there whose caller was told that it is not. For 10,000
// rounds of each combination:
//
//	JSONSTORE_ROUNDS=10000 go test -run TestStormOfThoseWhoLeave -timeout 2h -v ./store
func TestStormOfThoseWhoLeave(t *testing.T) {
	const callers = 6
	limit := rounds(t)
	eachCombination(t, func(t *testing.T, opts store.Options) {
		doc := openFile(t, filepath.Join(t.TempDir(), "doc.json"), opts)
		create(t, doc, "0")
		round, wrong, left, was, took := 0, 0, 0, 0, time.Millisecond
		for more := storm(limit, stormTime); more(round); round++ {
			var all sync.WaitGroup
			var sum, canceled atomic.Int64
			begin := make(chan struct{})
			for i := range callers {
				n := 1 - 2*(i%2)
				ctx, cancel := context.WithCancel(t.Context())
				leaves := rand.IntN(2) == 0
				after := rand.N(took) // as long as the round before took, at most
				all.Go(func() {
					defer cancel()
					<-begin
					if leaves {
						defer time.AfterFunc(after, cancel).Stop()
					}
					switch _, err := doc.Update(ctx, add(n)); {
					case err == nil:
						sum.Add(int64(n))
					case errors.Is(err, context.Canceled):
						canceled.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			began := time.Now()
			close(begin)
			all.Wait()
			took = time.Since(began)
			left += int(canceled.Load())
			got := number(t, doc)
			if want := was + int(sum.Load()); got != want {
				if wrong++; wrong <= 3 {
					t.Errorf("round %d: from %d to %d, want %d", round, was, got, want)
				}
			}
			was = got
		}
		t.Logf("%d rounds, %d wrong; %d of %d updates were given up",
			round, wrong, left, round*callers)
		if left == 0 {
			t.Error("nobody has left: this shows nothing")
		}
	})
}

// TestStormOfThoseWhoTryOnce: those whose function may run once, among others and beside
// another handle, are told a conflict or are applied, and have run no more than once.
func TestStormOfThoseWhoTryOnce(t *testing.T) {
	limit := rounds(t)
	eachCombination(t, func(t *testing.T, opts store.Options) {
		path := filepath.Join(t.TempDir(), "doc.json")
		handles := []*store.Doc{openFile(t, path, opts), openFile(t, path, opts)}
		create(t, handles[0], "0")
		round, wrong, was := 0, 0, 0
		var conflicts atomic.Int64
		for more := storm(limit, stormTime/4); more(round); round++ {
			var all sync.WaitGroup
			var sum atomic.Int64
			for i := range 6 {
				doc, tries := handles[i%2], i/2
				limited, err := doc.With(func(o *store.Options) { o.Retry.MaxTries = tries })
				if err != nil {
					t.Fatal(err)
				}
				all.Go(func() {
					runs := 0
					_, err := limited.Update(t.Context(), func(old []byte) ([]byte, error) {
						runs++
						return add(1)(old)
					})
					switch {
					case err == nil:
						sum.Add(1)
					case errors.Is(err, store.ErrConflict) && runs == tries:
						conflicts.Add(1)
					default:
						t.Error(err)
					}
					if runs < 1 || tries > 0 && runs > tries {
						t.Errorf("the function ran %d times, and may %d times", runs, tries)
					}
				})
			}
			all.Wait()
			got := number(t, handles[0])
			if want := was + int(sum.Load()); got != want {
				if wrong++; wrong <= 3 {
					t.Errorf("round %d: from %d to %d, want %d", round, was, got, want)
				}
			}
			was = got
		}
		t.Logf("%d rounds, %d wrong; %d conflicts", round, wrong, conflicts.Load())
	})
}
