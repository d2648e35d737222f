// A whole verification.

package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

// Config is the configuration of a verification.
type Config struct {
	Files        fsys.FS
	Dir          string
	Time         time.Duration // approximate duration of the tests
	Processes    int
	AllowNetwork bool
	Program      crew.Program                           // the program of the processes
	Progress     func(since time.Duration, text string) // called when a test begins
}

// Check is the result of one test.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Text  string `json:"text"`

	Mode      string `json:"mode,omitempty"`
	Sync      string `json:"sync,omitempty"`
	Processes int    `json:"processes,omitempty"`
	Holds     int    `json:"holds,omitempty"`
	HandOvers int    `json:"hand_overs,omitempty"`
	Updates   int    `json:"updates,omitempty"` // acknowledged updates
	Kills     int    `json:"kills,omitempty"`
	Reads     int    `json:"reads,omitempty"`
	Versions  int    `json:"versions,omitempty"`
	Races     int    `json:"races,omitempty"`
	Views     int    `json:"views,omitempty"`
}

// Report is the result of a verification.
type Report struct {
	Dir       string    `json:"dir"`
	Fit       bool      `json:"fit"`
	Seconds   float64   `json:"seconds"`
	Processes int       `json:"processes"`
	Facts     Facts     `json:"facts"`
	Findings  []Finding `json:"findings"`
	Checks    []Check   `json:"checks"`
	NotTested string    `json:"not_tested"`
}

// runner is a verification that is under way.
type runner struct {
	Config
	dir    string // our own directory, in Config.Dir
	begun  time.Time
	report *Report
	seen   watched // the records of the plain readers of all tests
}

// Run verifies a directory. It works in a new directory inside, which it removes, with those that
// killed runs have left. It touches nothing else. An error means that the verification failed; the
// report says what is wrong with the directory.
func Run(ctx context.Context, config Config) (report *Report, err error) {
	if config.Progress == nil {
		config.Progress = func(time.Duration, string) {}
	}
	r := &runner{Config: config, begun: time.Now()}
	r.report = &Report{Dir: config.Dir, Processes: config.Processes, Checks: []Check{}}
	r.dir = config.Dir
	r.progress("look at the directory")
	crew.Sweep(config.Files, config.Dir)
	claim, err := crew.NewClaim(config.Files, config.Dir, crew.VerifyPrefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if err != nil {
		r.facts(Facts{ReplaceError: err.Error()})
		return r.finish(), nil
	}
	r.dir, r.Program = claim.Dir, claim.Share(config.Program)
	defer func() {
		if removeErr := claim.Release(); removeErr != nil {
			removeErr = fmt.Errorf("remove the directory of the test; do so by hand: %w", removeErr)
			err = errors.Join(err, removeErr)
		}
	}()
	r.facts(Probe(ctx, config.Files, r.dir, AskBy(r.Program)))
	if r.report.Facts.ReplaceError == "" {
		r.tests(ctx)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r.finish(), nil
}

func (r *runner) facts(facts Facts) {
	facts.Dir = r.Dir
	if facts.FileSystem == "" {
		facts.FileSystem, _ = r.Files.Type(r.Dir)
	}
	r.report.Facts = facts
	r.report.Findings = Judge(facts, r.AllowNetwork)
	r.report.NotTested = PowerCuts(facts.FileSystem)
}

func (r *runner) finish() *Report {
	r.report.Seconds = float64(time.Since(r.begun).Milliseconds()) / 1000
	r.report.Fit = Fit(r.report.Findings)
	for _, c := range r.report.Checks {
		r.report.Fit = r.report.Fit && c.State != Bad
	}
	return r.report
}

func (r *runner) progress(text string) { r.Progress(time.Since(r.begun), text) }

// share returns a part of the time, in hundredths.
func (r *runner) share(
	hundredths int) time.Duration {
	return r.Time * time.Duration(hundredths) / 100
}

// tests runs all tests, each for its share of the time. A test that fails does not stop the next.
func (r *runner) tests(ctx context.Context) {
	modes := []string{"hash", "mtime", "locking"}
	if !r.report.Facts.Mtime {
		modes = []string{"hash", "locking"}
	}
	levels := []store.Durability{store.Durable, store.Ordered, store.Volatile}
	r.test(ctx, Check{Name: "locks exclude"}, func(c *Check, dir string) error {
		return r.locks(ctx, c, dir, r.share(12))
	})
	r.test(ctx, Check{Name: "a dead holder"}, func(c *Check, dir string) error {
		return r.deadHolder(ctx, c, dir)
	})
	for _, mode := range modes {
		for _, level := range levels {
			way := Way{mode, level}
			r.test(ctx, wayCheck("no lost update", way), func(c *Check, dir string) error {
				return r.counts(ctx, c, dir, way, r.share(45)/time.Duration(len(modes)*len(levels)))
			})
		}
	}
	for i, mode := range modes {
		way := Way{mode, levels[i]} // flushes make no difference to the death of a process
		r.test(ctx, wayCheck("killed writers", way), func(c *Check, dir string) error {
			return r.kills(ctx, c, dir, way, r.share(23)/time.Duration(len(modes)))
		})
	}
	r.test(ctx, Check{Name: "no torn read"}, func(c *Check, _ string) error { return r.torn(c) })
	r.test(ctx, Check{Name: "one creator"}, func(c *Check, dir string) error {
		return r.creations(ctx, c, dir, r.share(10))
	})
	r.test(ctx, Check{Name: "killed transactions"}, func(c *Check, dir string) error {
		return r.transfers(ctx, c, dir, Way{Durability: store.Volatile}, r.share(10))
	})
}

func wayCheck(name string, way Way) Check {
	return Check{Name: name, Mode: way.Mode, Sync: way.Durability.String()}
}

// test runs one test in a directory of its own.
func (r *runner) test(ctx context.Context, c Check, run func(c *Check, dir string) error) {
	if ctx.Err() != nil {
		return
	}
	title := c.Name
	if c.Mode != "" {
		title += " (" + c.Mode + ", " + c.Sync + ")"
	}
	r.progress(title)
	dir := filepath.Join(r.dir, fmt.Sprint(len(r.report.Checks)))
	err := r.Files.Mkdir(dir, 0o700)
	if err == nil {
		err = run(&c, dir)
	}
	c.State = OK
	if err != nil {
		c.State = Bad
		c.Text = r.shorten(err.Error())
	}
	r.report.Checks = append(r.report.Checks, c)
}

// shorten removes the path of our own directory from a message.
func (r *runner) shorten(text string) string {
	if dir, err := filepath.Abs(r.dir); err == nil {
		text = strings.ReplaceAll(text, dir+string(filepath.Separator), "")
	}
	return strings.ReplaceAll(text, r.dir+string(filepath.Separator), "")
}

// sleep waits for a time, or until the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
