// The part of the contract that needs several callers, or more than a table of steps.

package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jsonstore/jsonstore/driver"
)

func must(t *testing.T, v driver.Version, err error) driver.Version {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func versionsAsDeclared(t *testing.T, drv driver.Driver) {
	ctx := context.Background()
	create := func(data string, old driver.Version) driver.Version {
		v, err := drv.Swap(ctx, "a", old, []byte(data))
		return must(t, v, err)
	}
	first := create("1", driver.Absent)
	second := create("2", first)
	third := create("1", second)
	if err := drv.Delete(ctx, "a", third); err != nil {
		t.Fatal(err)
	}
	fourth := create("1", driver.Absent)
	if first == second || second == third {
		t.Errorf("different content, same version: %v, %v, %v", first, second, third)
	}
	unique := first != third && third != fourth && first != fourth
	if unique != drv.Caps().UniqueVersions {
		t.Errorf("versions of the same content are %v, %v, %v; Caps says unique: %v",
			first, third, fourth, drv.Caps().UniqueVersions)
	}
}

func versionsParse(t *testing.T, drv driver.Driver) {
	v, err := drv.Swap(context.Background(), "a", driver.Absent, []byte("1"))
	must(t, v, err)
	if parsed, err := driver.ParseVersion(v.String()); err != nil || parsed != v {
		t.Errorf("ParseVersion(%q) = %v, %v", v, parsed, err)
	}
}

func bytesAreCopied(t *testing.T, drv driver.Driver) {
	data := []byte("[1]")
	v, err := drv.Swap(context.Background(), "a", driver.Absent, data)
	must(t, v, err)
	data[1] = '2'
	if got, _, err := drv.Read(context.Background(), "a"); err != nil || string(got) != "[1]" {
		t.Errorf("after the caller changed its buffer: %q, %v", got, err)
	}
}

// collect returns the keys of a listing up to its end or its first error.
func collect(ctx context.Context, drv driver.Driver, prefix string) (keys []string, err error) {
	for key, err := range drv.List(ctx, prefix) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// listMany lists more keys than one page has, if the engine's pages can be made small.
// In byte order, "d-" comes before "d/", and "d/" before "d0".
func listMany(t *testing.T, drv driver.Driver) {
	ctx := context.Background()
	var want []string
	for i := range 300 {
		key := fmt.Sprintf("d%s%04d", []string{"/", "-", "0/", "/e/"}[i%4], i)
		want = append(want, key)
		v, err := drv.Swap(ctx, key, driver.Absent, []byte("1"))
		must(t, v, err)
	}
	v, err := drv.Swap(ctx, "c", driver.Absent, []byte("1"))
	must(t, v, err)
	slices.Sort(want)
	for _, prefix := range []string{"d", "d/", "d/e", "d0/0", "d-0", "d-01", "e"} {
		want := slices.DeleteFunc(slices.Clone(want), func(key string) bool {
			return !strings.HasPrefix(key, prefix)
		})
		if got, err := collect(ctx, drv, prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("prefix %q: %d keys, want %d (%v); %.200q",
				prefix, len(got), len(want), err, got)
		}
	}
}

// listWhileWriting deletes and creates documents in the body of the loop, and leaves a
// loop early.
func listWhileWriting(t *testing.T, drv driver.Driver) {
	ctx := context.Background()
	var want []string
	for i := range 20 {
		key := fmt.Sprintf("d%d/k%02d", i%3, i)
		want = append(want, key)
		v, err := drv.Swap(ctx, key, driver.Absent, []byte("1"))
		must(t, v, err)
	}
	slices.Sort(want)
	for key, err := range drv.List(ctx, "") {
		if err != nil || key != want[0] {
			t.Fatalf("the first key is %q (%v), want %q", key, err, want[0])
		}
		break
	}
	var got []string
	for key, err := range drv.List(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, key)
		_, v, err := drv.Read(ctx, key)
		if err == nil {
			err = drv.Delete(ctx, key, v)
		}
		if err == nil {
			// The new key comes before the position of the loop.
			_, err = drv.Swap(ctx, "a"+key, driver.Absent, []byte("1"))
		}
		if err != nil {
			t.Fatalf("in the loop, at %s: %v", key, err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("a loop that deletes what it comes to saw %q, want %q", got, want)
	}
	for i := range want {
		want[i] = "a" + want[i]
	}
	if got, err := collect(ctx, drv, ""); err != nil || !slices.Equal(got, want) {
		t.Errorf("afterwards there are %q, want %q (%v)", got, want, err)
	}
}

func endedContext(t *testing.T, drv driver.Driver) {
	v, err := drv.Swap(context.Background(), "a", driver.Absent, []byte("1"))
	must(t, v, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := drv.Read(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Read: %v", err)
	}
	if keys, err := collect(ctx, drv, ""); !errors.Is(err, context.Canceled) || len(keys) > 0 {
		t.Errorf("List: %q, %v", keys, err)
	}
	if _, err := drv.Swap(ctx, "a", v, []byte("2")); !errors.Is(err, context.Canceled) {
		t.Errorf("Swap: %v", err)
	}
	if err := drv.Delete(ctx, "a", v); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete: %v", err)
	}
	if data, _, err := drv.Read(context.Background(), "a"); err != nil || string(data) != "1" {
		t.Errorf("afterwards: %q, %v", data, err)
	}
}

// together runs f in n goroutines that begin at once.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// raceOfIncrements counts by Read and Swap. Every acknowledged Swap must count.
func raceOfIncrements(t *testing.T, drv driver.Driver) {
	const writers, each = 8, 50
	ctx := context.Background()
	together(writers, func(int) {
		for range each {
			for {
				data, v, err := drv.Read(ctx, "n")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(data))
				_, err = drv.Swap(ctx, "n", v, []byte(strconv.Itoa(n+1)))
				if err == nil {
					break
				}
				if !errors.Is(err, driver.ErrConflict) {
					t.Error(err)
					return
				}
			}
		}
	})
	data, _, err := drv.Read(ctx, "n")
	if err != nil || string(data) != strconv.Itoa(writers*each) {
		t.Errorf("%d increments were acknowledged, the document has %s (%v)",
			writers*each, data, err)
	}
}

// oneWins runs rounds in which eight writers expect the same version. Exactly one must
// succeed.
func oneWins(t *testing.T, drv driver.Driver, prepare func(key string) driver.Version,
	write func(i int, key string, old driver.Version) error) {
	for round := range 30 {
		key := fmt.Sprintf("k%d", round)
		old := prepare(key)
		var won, winner atomic.Int64
		together(8, func(i int) {
			err := write(i, key, old)
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
		data, v, err := drv.Read(context.Background(), key)
		if err != nil || !v.IsAbsent() && string(data) != strconv.FormatInt(winner.Load(), 10) {
			t.Fatalf("round %d: %d won, the document is %q (%v)", round, winner.Load(), data, err)
		}
	}
}

func raceOfCreators(t *testing.T, drv driver.Driver) {
	oneWins(t, drv, func(string) driver.Version { return driver.Absent }, swapNumber(drv))
}

func raceOfSwappers(t *testing.T, drv driver.Driver) {
	oneWins(t, drv, prepareDocument(t, drv), swapNumber(drv))
}

func raceOfDeleters(t *testing.T, drv driver.Driver) {
	oneWins(t, drv, prepareDocument(t, drv), func(_ int, key string, old driver.Version) error {
		return drv.Delete(context.Background(), key, old)
	})
}

func prepareDocument(t *testing.T, drv driver.Driver) func(key string) driver.Version {
	return func(key string) driver.Version {
		v, err := drv.Swap(context.Background(), key, driver.Absent, []byte("-1"))
		return must(t, v, err)
	}
}

func swapNumber(drv driver.Driver) func(i int, key string, old driver.Version) error {
	return func(i int, key string, old driver.Version) error {
		_, err := drv.Swap(context.Background(), key, old, []byte(strconv.Itoa(i)))
		return err
	}
}

// readersBesideWriters: a reader sees whole documents, and never an older version after
// a newer one.
func readersBesideWriters(t *testing.T, drv driver.Driver) {
	ctx := context.Background()
	content := func(n int) []byte { return fmt.Appendf(nil, "[%d,%0*d]", n, 10+n%5000, n) }
	v, err := drv.Swap(ctx, "a", driver.Absent, content(0))
	must(t, v, err)
	var written atomic.Bool
	together(4, func(i int) {
		if i == 0 {
			defer written.Store(true)
			for n := 1; n <= 200; n++ {
				if v, err = drv.Swap(ctx, "a", v, content(n)); err != nil {
					t.Error(err)
					return
				}
			}
			return
		}
		last := 0
		for !written.Load() {
			data, _, err := drv.Read(ctx, "a")
			if err != nil {
				t.Error(err)
				return
			}
			var n int
			_, err = fmt.Sscanf(string(data), "[%d,", &n)
			if err != nil || string(data) != string(content(n)) {
				t.Errorf("torn: %.40q", data)
				return
			}
			if n < last {
				t.Errorf("read %d after %d", n, last)
				return
			}
			last = n
		}
	})
}
