package proptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// setting returns the size of a test, which an environment variable can raise.
func setting(t *testing.T, variable string, ordinary int) int {
	t.Helper()
	text, ok := os.LookupEnv(variable)
	if !ok && testing.Short() {
		return max(1, ordinary/5)
	}
	if !ok {
		return ordinary
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: want a positive number", variable, text)
	}
	return n
}

type writerMode struct {
	name string
	opts store.Options
}

var writerModes = []writerMode{
	{"hash", store.Options{Versions: store.VersionHash}},
	{"mtime", store.Options{Versions: store.VersionMtime}},
	{"locking", store.Options{Locking: true}},
	{"mtime-locking", store.Options{Versions: store.VersionMtime, Locking: true}},
}

var durabilities = []store.Durability{store.Durable, store.Ordered, store.Volatile}

// TestProcessesCount: 8 processes increment one document. Every acknowledged increment is there, no
// update fails, no reader sees a torn document, and no litter stays.
func TestProcessesCount(t *testing.T) {
	times := setting(t, "JSONSTORE_INCREMENTS", 50)
	for i, mode := range writerModes {
		for _, durability := range durabilities {
			for _, mixed := range []bool{false, true} {
				name := mode.name + " " + durability.String()
				other := mode
				if mixed {
					other = writerModes[(i+1)%len(writerModes)]
					name = mode.name + " and " + other.name + " " + durability.String()
				}
				t.Run(name, func(t *testing.T) {
					file := filepath.Join(t.TempDir(), "counter.json")
					processesCount(t, file, times, func(i int) store.Options {
						opts := mode.opts
						if i%2 == 1 {
							opts = other.opts
						}
						opts.Durability = durability
						return opts
					})
				})
			}
		}
	}
}

func processesCount(t *testing.T, file string, times int, options func(i int) store.Options) {
	const writers = 8
	stop := watch(t, file)
	start := time.Now()
	var all []*process
	for i := range writers {
		all = append(all,
			startWorker(t, task{File: file, Member: "count", Times: times, Options: options(i)}))
	}
	var reading sync.WaitGroup
	for i, p := range all {
		reading.Go(func() {
			p.acknowledged(nil)
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("writer %d: %v: %s", i, err, p.errs.String())
			}
		})
	}
	reading.Wait()
	seconds := time.Since(start).Seconds()
	stop()
	if got := counters(t, file)["count"]; got != writers*times {
		t.Errorf("the count is %d, want %d", got, writers*times)
	}
	noLitter(t, file)
	t.Logf("%d updates in %.2f s", writers*times, seconds)
}

// watch reads the document like a foreign program until stop is called. It fails the test if a
// document is not whole or a counter goes back.
func watch(t *testing.T, file string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	reader.Go(func() {
		last := map[string]int{}
		for ctx.Err() == nil {
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			now := map[string]int{}
			if err == nil {
				err = json.Unmarshal(data, &now)
			}
			if err != nil {
				t.Errorf("a reader saw %q: %v", data, err)
				return
			}
			for member, n := range last {
				if now[member] < n {
					t.Errorf("a reader saw %s go from %d back to %d", member, n, now[member])
					return
				}
			}
			last = now
		}
	})
	return func() {
		cancel()
		reader.Wait()
	}
}

func counters(t *testing.T, file string) map[string]int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	if err := json.Unmarshal(data, &found); err != nil {
		t.Fatalf("%s: %v in %q", file, err, data)
	}
	return found
}

// noLitter expects the document and its lock file, and no other file.
func noLitter(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	base := filepath.Base(file)
	if want := []string{"." + base + ".lock", base}; !slices.Equal(names, want) {
		t.Errorf("the directory has %q, want %q", names, want)
	}
}

// TestKilledWriters: writers with a counter each are killed at random moments. Each counter has the
// value that was last acknowledged, or one more, from the update that the kill interrupted.
func TestKilledWriters(t *testing.T) {
	kills := setting(t, "JSONSTORE_KILLS", 12)
	for _, mode := range writerModes {
		for _, durability := range durabilities {
			t.Run(mode.name+" "+durability.String(), func(t *testing.T) {
				opts := mode.opts
				opts.Durability = durability
				file := filepath.Join(t.TempDir(), "counters.json")
				killWriters(t, file, kills, opts)
			})
		}
	}
}

func killWriters(t *testing.T, file string, kills int, opts store.Options) {
	const atOnce = 8
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	stop := watch(t, file)
	var mu sync.Mutex
	acknowledged := map[string]int{}
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range kills {
		member := fmt.Sprintf("w%d", i)
		until := 1 + random.IntN(30)
		delay := time.Duration(random.IntN(3000)) * time.Microsecond
		slots <- struct{}{}
		p := startWorker(t, task{File: file, Member: member, Options: opts})
		all.Go(func() {
			defer func() { <-slots }()
			last := p.acknowledged(func(n int) {
				if n == until {
					// The kill hits the next update at a random moment.
					time.AfterFunc(delay, func() { _ = p.cmd.Process.Kill() })
				}
			})
			_ = p.cmd.Wait()
			if p.errs.Len() > 0 {
				t.Errorf("writer %s: %s", member, p.errs.String())
			}
			mu.Lock()
			acknowledged[member] = last
			mu.Unlock()
		})
	}
	all.Wait()
	stop()
	found := counters(t, file)
	sum, lost := 0, 0
	for _, member := range slices.Sorted(maps.Keys(acknowledged)) {
		sum += acknowledged[member]
		if n, a := found[member], acknowledged[member]; n != a && n != a+1 {
			lost++
			t.Errorf("seed %d: %s: %d acknowledged, %d found", seed, member, a, n)
		}
	}
	// Another writer sweeps what the dead ones have left.
	p := startWorker(t, task{File: file, Member: "last", Times: 1, Options: opts})
	p.acknowledged(nil)
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, p.errs.String())
	}
	noLitter(t, file)
	t.Logf("%d kills, %d updates acknowledged, %d counters wrong", kills, sum, lost)
}

// commandModes are the flags of a command for the modes.
var commandModes = [][]string{{"--mode", "hash"}, {"--mode", "mtime"}, {"--locking"}}

// buildCommand builds the command, as a user would.
func buildCommand(t *testing.T) string {
	t.Helper()
	command := filepath.Join(t.TempDir(), "jsonstore")
	if out, err := exec.Command("go", "build", "-o", command,
		"../cmd/jsonstore").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return command
}

// TestCommandsCount is TestProcessesCount with the built command and a process for each update.
func TestCommandsCount(t *testing.T) {
	times := setting(t, "JSONSTORE_COMMANDS", 5)
	command := buildCommand(t)
	for i, mode := range commandModes {
		for _, other := range [][]string{mode, commandModes[(i+1)%len(commandModes)]} {
			for _, durability := range durabilities {
				t.Run(fmt.Sprint(mode, " and ", other, " ", durability), func(t *testing.T) {
					commandsCount(t, command, times, [][]string{mode, other}, durability)
				})
			}
		}
	}
}

func commandsCount(t *testing.T, command string, times int, modes [][]string,
	durability store.Durability) {
	const writers = 8
	file := filepath.Join(t.TempDir(), "counter.json")
	stop := watch(t, file)
	start := time.Now()
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			args := append([]string{"update", file, "--expr", ".count += 1", "--sync",
				durability.String()}, modes[i%2]...)
			for range times {
				if out, err := exec.Command(command, args...).CombinedOutput(); err != nil {
					t.Errorf("%v: %v\n%s", args, err, out)
					return
				}
			}
		})
	}
	all.Wait()
	seconds := time.Since(start).Seconds()
	stop()
	if got := counters(t, file)["count"]; got != writers*times {
		t.Errorf("the count is %d, want %d", got, writers*times)
	}
	noLitter(t, file)
	t.Logf("%d updates in %.2f s", writers*times, seconds)
}

// TestKilledCommands: the update of a command that was killed is applied or not. The update of any
// other command is applied.
func TestKilledCommands(t *testing.T) {
	kills := setting(t, "JSONSTORE_KILLS", 12)
	command := buildCommand(t)
	for _, mode := range commandModes {
		for _, durability := range durabilities {
			t.Run(fmt.Sprint(mode, " ", durability), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "counters.json")
				stop := watch(t, file)
				acknowledged := make([]bool, kills)
				slots := make(chan struct{}, 8)
				var all sync.WaitGroup
				for i := range kills {
					slots <- struct{}{}
					delay := time.Duration(rand.IntN(8000)) * time.Microsecond
					all.Go(func() {
						defer func() { <-slots }()
						args := append([]string{"incr", file, fmt.Sprintf("w%d", i), "--sync",
							durability.String()}, mode...)
						cmd := exec.Command(command, args...)
						if err := cmd.Start(); err != nil {
							t.Error(err)
							return
						}
						time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
						acknowledged[i] = cmd.Wait() == nil
					})
				}
				all.Wait()
				if out, err := exec.Command(command, "incr", file,
					"last").CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				stop()
				found, killed := counters(t, file), 0
				for i, done := range acknowledged {
					n := found[fmt.Sprintf("w%d", i)]
					if done && n != 1 || n > 1 {
						t.Errorf("writer %d: acknowledged %v, found %d", i, done, n)
					}
					if !done {
						killed++
					}
				}
				noLitter(t, file)
				t.Logf("%d of %d commands were killed", killed, kills)
			})
		}
	}
}
