// The part of the contract on transactions that needs several callers.

package drivertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver"
)

// raceOfTransactions: of eight transactions from the same versions of two documents each,
// in any order, one succeeds, and all of it is there. Any two have a document in common.
func raceOfTransactions(t *testing.T, drv transactor) {
	for round := range 30 {
		keys := []string{fmt.Sprint("a", round), fmt.Sprint("b", round), fmt.Sprint("c", round)}
		old := fill(t, drv, keys...)
		var won, winner atomic.Int64
		together(8, func(i int) {
			var changes []driver.Change
			for j := range 2 {
				key := keys[(i+j)%len(keys)]
				changes = append(changes, driver.Change{Key: key, Old: old[key],
					Data: []byte(strconv.Itoa(i))})
			}
			_, err := drv.Commit(context.Background(), changes)
			if err == nil {
				won.Add(1)
				winner.Store(int64(i))
			} else if !errors.Is(err, driver.ErrConflict) {
				t.Errorf("a loser's error: %v", err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("round %d: %d of 8 won", round, won.Load())
		}
		i := int(winner.Load())
		for j, key := range []string{keys[i%3], keys[(i+1)%3], keys[(i+2)%3]} {
			want := strconv.Itoa(i)
			if j == 2 {
				want = `"` + key + `"`
			}
			if got := state(t, drv, key)[key]; got.data != want {
				t.Fatalf("round %d: %d won, and %s is %s, want %s", round, i, key, got.data, want)
			}
		}
	}
}

// raceOfKeepers: each transaction changes one document and keeps the others, so that one
// succeeds of those that have seen the same. (Two would be a write skew.)
func raceOfKeepers(t *testing.T, drv transactor) {
	for round := range 30 {
		keys := []string{fmt.Sprint("a", round), fmt.Sprint("b", round), fmt.Sprint("c", round)}
		old := fill(t, drv, keys...)
		var won atomic.Int64
		together(6, func(i int) {
			var changes []driver.Change
			for j, key := range keys {
				changes = append(changes, driver.Change{Key: key, Old: old[key],
					Keep: j != i%len(keys), Data: []byte(strconv.Itoa(i))})
			}
			_, err := drv.Commit(context.Background(), changes)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, driver.ErrConflict) {
				t.Errorf("a loser's error: %v", err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("round %d: %d of 6 won", round, won.Load())
		}
	}
}

// readAll reads documents until it has a state that all of them had at one instant.
func readAll(ctx context.Context, drv transactor, keys []string) (
	numbers []int, changes []driver.Change, err error,
) {
	for {
		numbers, changes = nil, nil
		for _, key := range keys {
			data, v, err := drv.Read(ctx, key)
			if err != nil {
				return nil, nil, err
			}
			n, err := strconv.Atoi(string(data))
			if err != nil {
				return nil, nil, err
			}
			numbers = append(numbers, n)
			changes = append(changes, driver.Change{Key: key, Old: v, Keep: true})
		}
		_, err := drv.Commit(ctx, changes)
		if err == nil || !errors.Is(err, driver.ErrConflict) {
			return numbers, changes, err
		}
	}
}

// transfers: what is moved from one document to another, by several at once, is never lost,
// nor seen halfway.
func transfers(t *testing.T, drv transactor) {
	const movers, each, start = 4, 100, 1000
	ctx := context.Background()
	keys := []string{"a", "b", "c", "dir/d"}
	for _, key := range keys {
		v, err := drv.Swap(ctx, key, driver.Absent, []byte(strconv.Itoa(start)))
		must(t, v, err)
	}
	audit := func() error {
		numbers, _, err := readAll(ctx, drv, keys)
		sum := 0
		for _, n := range numbers {
			sum += n
		}
		if err == nil && sum != start*len(keys) {
			err = fmt.Errorf("the sum of %v is %d, want %d", numbers, sum, start*len(keys))
		}
		return err
	}
	var moving atomic.Int64
	moving.Store(movers)
	together(movers+1, func(i int) {
		if i == movers {
			for moving.Load() > 0 {
				if err := audit(); err != nil {
					t.Error(err)
					return
				}
			}
			return
		}
		defer moving.Add(-1)
		for range each {
			if err := transfer(ctx, drv, keys); err != nil {
				t.Error(err)
				return
			}
		}
	})
	if err := audit(); err != nil {
		t.Error(err)
	}
}

// transfer moves one from a document to another.
func transfer(ctx context.Context, drv transactor, keys []string) error {
	chosen := rand.Perm(len(keys))
	for {
		numbers, changes, err := readAll(ctx, drv, []string{keys[chosen[0]], keys[chosen[1]]})
		if err != nil {
			return err
		}
		runtime.Gosched() // an engine in memory is so quick that else few others would come between
		for i, n := range []int{numbers[0] - 1, numbers[1] + 1} {
			changes[i].Keep, changes[i].Data = false, []byte(strconv.Itoa(n))
		}
		_, err = drv.Commit(ctx, changes)
		if err == nil || !errors.Is(err, driver.ErrConflict) {
			return err
		}
	}
}

// racingContexts: a transaction whose context ends meanwhile has made all of its changes or
// none, as its error says. Each caller has two documents of its own, and a shared one.
func racingContexts(t *testing.T, drv transactor) {
	const callers, each = 4, 50
	for _, key := range callersKeys(callers) {
		v, err := drv.Swap(context.Background(), key, driver.Absent, []byte("0"))
		must(t, v, err)
	}
	var made, unknown atomic.Int64
	together(callers, func(i int) {
		keys := []string{fmt.Sprint("mine", i), "shared", fmt.Sprint("also", i)}
		last := 0
		for range each {
			numbers, changes, err := readAll(context.Background(), drv, keys)
			if err != nil || numbers[0] != last || numbers[2] != last {
				t.Errorf("%v of %v, %v: %d transactions were made", numbers, keys, err, last)
				return
			}
			for j := range changes {
				changes[j].Keep, changes[j].Data = false, []byte(strconv.Itoa(numbers[j]+1))
			}
			ctx, cancel := context.WithTimeout(context.Background(),
				time.Duration(rand.IntN(100))*time.Microsecond)
			_, err = drv.Commit(ctx, changes)
			cancel()
			switch {
			case err == nil:
				made.Add(1)
				last++
			case errors.Is(err, driver.ErrUnknown):
				unknown.Add(1)
				return // what it did may come at any time
			case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, driver.ErrConflict):
				t.Error(err)
				return
			}
		}
	})
	n, _ := strconv.Atoi(state(t, drv, "shared")["shared"].data)
	if min, max := int(made.Load()), int(made.Load()+unknown.Load()); n < min || n > max {
		t.Errorf("%d transactions were made, and %d perhaps; the document says %d", min,
			unknown.Load(), n)
	}
}

func callersKeys(callers int) []string {
	keys := []string{"shared"}
	for i := range callers {
		keys = append(keys, fmt.Sprint("mine", i), fmt.Sprint("also", i))
	}
	return keys
}

// readersBesideTransactions: who reads one document of a transaction and then the other, in
// any order, never finds the second one older than the first.
func readersBesideTransactions(t *testing.T, drv transactor) {
	const rounds = 500
	ctx := context.Background()
	keys := []string{"a", "dir/b"}
	changes := []driver.Change{{Key: keys[0]}, {Key: keys[1]}}
	var written atomic.Bool
	together(5, func(i int) {
		if i == 0 {
			defer written.Store(true)
			for n := 1; n <= rounds; n++ {
				for j := range changes {
					changes[j].Data = []byte(strconv.Itoa(n))
				}
				versions, err := drv.Commit(ctx, changes)
				if err != nil {
					t.Error(err)
					return
				}
				changes[0].Old, changes[1].Old = versions[0], versions[1]
			}
			return
		}
		for !written.Load() {
			last := 0
			for j := range keys {
				key := keys[(i+j)%2]
				data, _, err := drv.Read(ctx, key)
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(data))
				if n < last {
					t.Errorf("%s has %d, when the other document had %d before", key, n, last)
					return
				}
				last = n
			}
		}
	})
}
