// The tests: the processes that they start, and the records of these. check.go judges the records.

package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/store"
)

const documentName = "document.json"

// locks: processes take the document's lock in turns.
func (r *runner) locks(ctx context.Context, c *Check, dir string, last time.Duration) error {
	c.Processes = r.Processes
	todo := make([]task, r.Processes)
	for i := range todo {
		todo[i] = task{Role: roleHold, File: filepath.Join(dir, documentName)}
	}
	all, err := r.crewFor(ctx, todo, last)
	if err != nil {
		return err
	}
	var together sync.WaitGroup
	records, errs := make([][]Hold, len(all)), make([]error, len(all)+1)
	all.Begin()
	for i, p := range all {
		together.Go(func() {
			for {
				line, err := p.Line()
				if err != nil {
					break
				}
				h, err := parseHold(line)
				if err != nil {
					errs[i] = fmt.Errorf("a process printed %q: %w", line, err)
					break
				}
				h.Process = i + 1
				records[i] = append(records[i], h)
			}
			errs[i] = crew.First(errs[i], p.End())
		})
	}
	sleep(ctx, last)
	all.Stop()
	together.Wait()
	var holds []Hold
	for _, record := range records {
		holds = append(holds, record...)
	}
	c.Holds = len(holds)
	c.HandOvers, errs[len(all)] = CheckHolds(holds)
	if err := crew.First(errs...); err != nil {
		return err
	}
	if c.HandOvers == 0 && r.Processes > 1 {
		return errors.New("the lock never went from one process to another, so the test " +
			"has no result; give it more time")
	}
	c.Text = fmt.Sprintf("%d processes held the lock %d times, with %d hand-overs; no two at once",
		r.Processes, c.Holds, c.HandOvers)
	return nil
}

func parseHold(line string) (h Hold, err error) {
	from, to, _ := strings.Cut(line, " ")
	if h.From, err = strconv.ParseInt(from, 10, 64); err == nil {
		h.To, err = strconv.ParseInt(to, 10, 64)
	}
	return h, err
}

// deadHolder kills processes that hold the lock. Their locks must be free afterwards.
func (r *runner) deadHolder(ctx context.Context, c *Check, dir string) error {
	c.Kills = 5
	var longest time.Duration
	for range c.Kills {
		took, err := r.killHolder(ctx, filepath.Join(dir, documentName))
		if err != nil {
			return err
		}
		longest = max(longest, took)
	}
	c.Text = fmt.Sprintf("%d processes were killed while they held the lock; "+
		"it was free after at most %v", c.Kills, round(longest))
	return nil
}

func (r *runner) killHolder(ctx context.Context, file string) (took time.Duration, err error) {
	all, err := r.crewFor(ctx, []task{{Role: roleKeep, File: file}}, 0)
	if err != nil {
		return 0, err
	}
	holder := all[0]
	all.Begin()
	if err := holder.Expect("held"); err != nil {
		return 0, err
	}
	defer all.Kill() // does nothing to dead processes
	doc, err := store.OpenFile(file, Way{Mode: "locking"}.options())
	if err != nil {
		return 0, err
	}
	defer doc.Close()
	hasty, err := doc.With(func(o *store.Options) { o.LockWait = -1 })
	if err != nil {
		return 0, err
	}
	if err := StoreTools.Hold(ctx, hasty, func() {}); !errors.Is(err, store.ErrLocked) {
		return 0, fmt.Errorf("the lock that another process held could be taken (%v)", err)
	}
	start := time.Now()
	holder.Kill()
	ctx, cancel := context.WithTimeout(ctx, crew.Patience)
	defer cancel()
	if err := StoreTools.Hold(ctx, doc, func() {}); err != nil {
		return 0, fmt.Errorf("the lock of a process that was killed cannot be had: %w", err)
	}
	return time.Since(start), nil
}

// counts has each process increment a member of its own, beside a plain reader.
func (r *runner) counts(ctx context.Context, c *Check, dir string, way Way,
	last time.Duration) error {
	c.Processes = r.Processes
	file := filepath.Join(dir, documentName)
	todo := []task{{Role: roleRead, File: file}}
	for i := range r.Processes {
		todo = append(todo,
			task{Role: roleCount, File: file, Member: fmt.Sprintf("p%d", i+1), Way: way})
	}
	all, err := r.crewFor(ctx, todo, last)
	if err != nil {
		return err
	}
	reader, counters := all[0], all[1:]
	record, errs := make([]Count, len(counters)), make([]error, len(counters))
	var together sync.WaitGroup
	all.Begin()
	for i, p := range counters {
		together.Go(func() {
			record[i].Member = todo[1+i].Member
			record[i].Acknowledged, errs[i] = acknowledged(p, nil)
		})
	}
	sleep(ctx, last)
	counters.Stop()
	together.Wait()
	if err := crew.First(append(errs, r.watched(reader))...); err != nil {
		return err
	}
	found, err := r.read(ctx, file)
	if err != nil {
		return err
	}
	if err := crew.First(CheckCounts(record, found), r.checkLitter(dir)); err != nil {
		return err
	}
	for _, count := range record {
		c.Updates += count.Acknowledged
	}
	c.Text = fmt.Sprintf("%d processes, %d updates acknowledged, %d found", r.Processes, c.Updates,
		c.Updates)
	return nil
}

// watched sums up what the plain readers saw.
func (r *runner) watched(reader *crew.Process) error {
	seen, err := result(reader)
	r.seen.Reads += seen.Reads
	r.seen.Versions += seen.Versions
	if r.seen.Fault == "" {
		r.seen.Fault = seen.Fault
	}
	return err
}

func (r *runner) read(ctx context.Context, file string) ([]byte, error) {
	doc, err := store.OpenFile(file, Way{}.options())
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	data, _, err := doc.Read(ctx)
	return data, err
}

func (r *runner) checkLitter(dir string) error {
	entries, err := r.Files.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	return CheckLitter(documentName, names)
}

// torn is the result of the plain readers.
func (r *runner) torn(c *Check) error {
	c.Reads, c.Versions = r.seen.Reads, r.seen.Versions
	if r.seen.Fault != "" {
		return fmt.Errorf("a program that reads the file saw what it should not: %s", r.seen.Fault)
	}
	if c.Versions == 0 {
		return errors.New("the readers saw nothing, so that nothing can be said")
	}
	c.Text = fmt.Sprintf("%d plain reads saw %d versions, all of them whole and in order",
		c.Reads, c.Versions)
	return nil
}

// kills kills counting processes at random moments, and starts others in their place.
func (r *runner) kills(ctx context.Context, c *Check, dir string, way Way,
	last time.Duration) error {
	file := filepath.Join(dir, documentName)
	readers, err := r.crewFor(ctx, []task{{Role: roleRead, File: file}}, last)
	if err != nil {
		return err
	}
	readers.Begin()
	var (
		slots  sync.WaitGroup
		mu     sync.Mutex
		record []Count
		errs   []error
	)
	end := time.Now().Add(last)
	for slot := range r.Processes {
		slots.Go(func() {
			for n := 0; n == 0 || time.Now().Before(end) && ctx.Err() == nil; n++ {
				count, err := r.killOne(ctx,
					task{Role: roleCount, File: file, Member: fmt.Sprintf("p%d.%d", slot+1, n+1),
						Way: way})
				mu.Lock()
				record, errs = append(record, count), append(errs, err)
				mu.Unlock()
				if err != nil || n == 99 { // the document must not grow without end
					return
				}
			}
		})
	}
	slots.Wait()
	errs = append(errs, r.watched(readers[0]))
	if err := crew.First(errs...); err != nil {
		return err
	}
	for _, count := range record {
		c.Updates += count.Acknowledged
		if count.Killed {
			c.Kills++
		}
	}
	// The next writer sweeps what the dead ones have left.
	if err := r.sweeper(ctx, file, way); err != nil {
		return err
	}
	record = append(record, Count{Member: "last", Acknowledged: 1})
	found, err := r.read(ctx, file)
	if err != nil {
		return err
	}
	if err := crew.First(CheckCounts(record, found), r.checkLitter(dir)); err != nil {
		return err
	}
	c.Text = fmt.Sprintf("%d writers killed, %d updates acknowledged and found; no litter",
		c.Kills, c.Updates)
	return nil
}

// killOne starts a counting process, and kills it at a random moment of an update.
func (r *runner) killOne(ctx context.Context, todo task) (Count, error) {
	count := Count{Member: todo.Member}
	all, err := r.crewFor(ctx, []task{todo}, 0)
	if err != nil {
		return count, err
	}
	p := all[0]
	until, delay := 1+rand.IntN(10), time.Duration(rand.IntN(3000))*time.Microsecond
	all.Begin()
	count.Acknowledged, err = acknowledged(p, func(n int) {
		if n == until {
			time.AfterFunc(delay, p.Kill)
		}
	})
	count.Killed = p.Killed()
	return count, err
}

func (r *runner) sweeper(ctx context.Context, file string, way Way) error {
	doc, err := store.OpenFile(file, way.options())
	if err != nil {
		return err
	}
	defer doc.Close()
	return StoreTools.Update(ctx, doc, func(old []byte) ([]byte, error) {
		changed, _, err := increment(old, "last")
		return changed, err
	})
}

// maxRaces limits the files that a test of creations makes.
const maxRaces = 500

// creations has all processes create the same document at once, one document after the other.
func (r *runner) creations(ctx context.Context, c *Check, dir string, last time.Duration) error {
	c.Processes = r.Processes
	todo := make([]task, r.Processes)
	for i := range todo {
		todo[i] = task{Role: roleCreate, Member: fmt.Sprintf("p%d", i+1)}
	}
	all, err := r.crewFor(ctx, todo, last)
	if err != nil {
		return err
	}
	defer all.Kill()
	var races []Creation
	end := time.Now().Add(last)
	more := func() bool {
		return len(races) < maxRaces && time.Now().Before(end) && ctx.Err() == nil
	}
	for len(races) == 0 || more() {
		file := filepath.Join(dir, fmt.Sprintf("%d.json", len(races)))
		race := Creation{}
		for _, p := range all {
			_ = p.Send(file)
		}
		for i, p := range all {
			line, err := p.Line()
			if err != nil {
				return crew.First(p.End(), err)
			}
			if line == "created" {
				race.Winners = append(race.Winners, todo[i].Member)
			}
		}
		found, err := r.read(ctx, file)
		if err != nil {
			return err
		}
		if race.Content, err = strconv.Unquote(string(found)); err != nil {
			return fmt.Errorf("race %d: the document is %q", len(races)+1, found)
		}
		races = append(races, race)
	}
	c.Races = len(races)
	if err := CheckCreations(races); err != nil {
		return err
	}
	c.Text = fmt.Sprintf("%d processes created one document at once, %d times; "+
		"each time exactly one succeeded", r.Processes, c.Races)
	return nil
}
