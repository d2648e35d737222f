// Package measure measures the cost of updates and reads in a directory, and gives advice.
package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// Config is the configuration of a measurement.
type Config struct {
	Files     fsys.FS
	Dir       string
	Time      time.Duration // approximate duration
	Processes int           // largest number of processes
	Program   crew.Program  // the program whose processes call Work
	Version   string        // version of this program
	Command   string        // the command that repeats the measurement
	Progress  func(done, all int, text string)
}

var levels = []store.Durability{store.Durable, store.Ordered, store.Volatile}

// smallest is the size in bytes of a document, except where the size varies.
const smallest = 200

var (
	sizes      = []int{smallest, 2_000, 20_000, 200_000, 1_000_000}
	goroutines = []int{1, 8, 64}
	documents  = []int{1, 10, 100, 1000}
	atOnce     = []int{1, 2, 10} // documents of a transaction
)

// plan returns the rows of the report, without the figures.
func (c Config) plan() (rows []Update) {
	add := func(u Update) { rows = append(rows, u) }
	var counts []int
	for n := 1; n < c.Processes; n *= 2 {
		counts = append(counts, n)
	}
	counts = append(counts, c.Processes)
	for _, level := range levels {
		for _, n := range counts {
			for _, mode := range modes {
				add(Update{Section: byProcesses, Mode: mode, Sync: level.String(), Processes: n,
					Goroutines: 1, Documents: 1, Bytes: smallest})
			}
		}
	}
	vary := func(section string, values []int, set func(u *Update, n int)) {
		for _, level := range levels {
			for _, n := range values {
				u := Update{Section: section, Mode: "hash", Sync: level.String(), Processes: 1,
					Goroutines: 1, Documents: 1, Bytes: smallest}
				set(&u, n)
				add(u)
			}
		}
	}
	vary(byGoroutines, goroutines, func(u *Update, n int) { u.Goroutines = n })
	vary(bySize, sizes, func(u *Update, n int) { u.Bytes = n })
	vary(byDocuments, documents,
		func(u *Update, n int) { u.Documents, u.Processes = n, c.Processes })
	return append(rows, c.transactions()...)
}

// transactions are the rows of transactions: of one process, of many that share the documents, of
// many with documents of their own, and of goroutines with documents of their own.
func (c Config) transactions() (rows []Update) {
	most := goroutines[len(goroutines)-1]
	for _, level := range levels {
		for _, n := range atOnce {
			u := Update{Section: byTransaction, Mode: "hash", Sync: level.String(), Processes: 1,
				Goroutines: 1, Documents: n, Bytes: smallest, Transaction: n}
			rows = append(rows, u)
			if n == 1 {
				continue
			}
			shared, own, many := u, u, u
			shared.Processes = c.Processes
			own.Processes, own.Documents = c.Processes, n*c.Processes
			many.Goroutines, many.Documents = most, n*most
			if c.Processes > 1 {
				rows = append(rows, shared, own)
			}
			rows = append(rows, many)
		}
	}
	return rows
}

// runner is a measurement that is under way.
type runner struct {
	Config
	dir    string // our own directory, in Config.Dir
	share  time.Duration
	report *Report
}

// Run measures in a new directory inside Config.Dir. It removes that directory, and those that
// killed runs have left. It touches nothing else.
func Run(ctx context.Context, c Config) (report *Report, err error) {
	if c.Progress == nil {
		c.Progress = func(int, int, string) {}
	}
	begun := time.Now()
	crew.Sweep(c.Files, c.Dir)
	claim, err := crew.NewClaim(c.Files, c.Dir, crew.BenchPrefix)
	if err != nil {
		return nil, err
	}
	defer func() {
		if removeErr := claim.Release(); removeErr != nil {
			removeErr = fmt.Errorf("remove the directory of the measurement; do so by hand: %w",
				removeErr)
			err = errors.Join(err, removeErr)
		}
	}()
	dir := claim.Dir
	c.Program = claim.Share(c.Program)
	rows := c.plan()
	all := len(rows) + len(sizes)
	r := &runner{Config: c, dir: dir}
	r.share = c.Time / time.Duration(all) * 9 / 10 // the rest is for starting and ending processes
	r.report = &Report{
		Dir: c.Dir, Date: begun.Format(time.DateOnly), Command: c.Command,
		Machine: Describe(c.Files, dir, c.Version),
	}
	for i, u := range rows {
		c.Progress(i, all, u.title())
		if err := r.update(ctx, &u, filepath.Join(dir, fmt.Sprint(i))); ctx.Err() != nil {
			return nil, ctx.Err() // other errors are its consequences
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", u.title(), err)
		}
		r.report.Updates = append(r.report.Updates, u)
		r.report.Lost += u.Lost
	}
	for i, size := range sizes {
		c.Progress(len(rows)+i, all, fmt.Sprintf("reads of %d bytes", size))
		row, err := r.reads(ctx, size)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("reads of %d bytes: %w", size, err)
		}
		r.report.Reads = append(r.report.Reads, row)
	}
	r.report.Seconds = round(time.Since(begun).Seconds())
	r.report.Advice = advise(r.report)
	return r.report, nil
}

func (u Update) title() string {
	if u.Transaction > 0 {
		return fmt.Sprintf("%s transactions of %d, processes %d, goroutines %d, documents %d of "+
			"%d bytes", u.Sync, u.Transaction, u.Processes, u.Goroutines, u.Documents, u.Bytes)
	}
	return fmt.Sprintf("%s %s, processes %d, goroutines %d, documents %d of %d bytes", u.Sync,
		u.Mode, u.Processes, u.Goroutines, u.Documents, u.Bytes)
}

// update measures one row.
func (r *runner) update(ctx context.Context, u *Update, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir) // Release removes what this leaves
	for n := range u.Documents {
		if err := os.WriteFile(file(dir, n), load.Document(u.Bytes), 0o600); err != nil {
			return err
		}
	}
	t := task{Dir: dir, Mode: u.Mode, Goroutines: u.Goroutines, Documents: u.Documents,
		Transaction: u.Transaction, Time: r.share}
	for _, level := range levels {
		if level.String() == u.Sync {
			t.Durability = level
		}
	}
	if _, closeAll, err := t.open(); errors.Is(err, store.ErrUnsupported) {
		u.Failure = err.Error() // for instance if times are too coarse for versions by time
		return nil
	} else if err != nil {
		return err
	} else if err := closeAll(); err != nil {
		return err
	}
	tasks := make([]crew.Task, u.Processes)
	for i := range tasks {
		t.Process = i
		tasks[i] = crew.Task{What: "update documents", Todo: t}
	}
	all, err := r.Program.StartAll(ctx, tasks, r.share)
	if err != nil {
		return err
	}
	all.Begin()
	each := make([]tally, len(all))
	var errs []error
	for i, p := range all {
		line, err := p.Line()
		if err == nil {
			err = json.Unmarshal([]byte(line), &each[i])
		}
		errs = append(errs, crew.First(p.End(), err))
	}
	if err := crew.First(errs...); err != nil {
		return err
	}
	u.set(each, r.share)
	u.Lost = u.Updates * max(1, u.Transaction)
	for n := range u.Documents {
		data, err := os.ReadFile(file(dir, n))
		if err != nil {
			return err
		}
		count, err := load.Count(data)
		if err != nil {
			return err
		}
		u.Lost -= count
	}
	return nil
}

// reads measures reads in this process, one after the other.
func (r *runner) reads(ctx context.Context, size int) (row Read, err error) {
	row.Bytes = size
	path := filepath.Join(r.dir, fmt.Sprintf("read-%d.json", size))
	if err := os.WriteFile(path, load.Document(size), 0o600); err != nil {
		return row, err
	}
	doc, err := store.OpenFile(path, &store.Options{AllowNetwork: true})
	if err != nil {
		return row, err
	}
	defer doc.Close()
	median := func() (float64, error) {
		var h load.Histogram
		for begin := time.Now(); time.Since(begin) < r.share/2; {
			start := time.Now()
			if _, _, err := doc.Read(ctx); err != nil {
				return 0, err
			}
			h.Add(time.Since(start))
		}
		return microseconds(h.Quantile(0.5)), nil
	}
	// A handle does not keep a file that has just been changed, and a time in the future looks
	// like a change just now.
	now := time.Now()
	if err := os.Chtimes(path, now, now.Add(time.Hour)); err != nil {
		return row, err
	}
	if row.FirstUs, err = median(); err != nil {
		return row, err
	}
	if err := os.Chtimes(path, now, now.Add(-time.Hour)); err != nil {
		return row, err
	}
	// until the file is old enough
	for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
		if _, _, err := doc.Read(ctx); err != nil {
			return row, err
		}
	}
	row.UnchangedUs, err = median()
	return row, err
}
