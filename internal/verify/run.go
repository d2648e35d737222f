// A verification from beginning to end.

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

// Config says what to verify, and how long.
type Config struct {
	Files        fsys.FS
	Dir          string
	Time         time.Duration // about
	Processes    int
	AllowNetwork bool
	Program      crew.Program                           // what the processes run
	Progress     func(since time.Duration, text string) // told when a test begins
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
	Updates   int    `json:"updates,omitempty"` // that were acknowledged
	Kills     int    `json:"kills,omitempty"`
	Reads     int    `json:"reads,omitempty"`
	Versions  int    `json:"versions,omitempty"`
	Races     int    `json:"races,omitempty"`
}

// Report is what came of a verification.
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
	dir    string // ours, in Config.Dir
	begun  time.Time
	report *Report
	seen   watched // by the plain readers of all tests
}

// Run verifies a directory: it makes one of its own in it, which it removes, and touches nothing
// else but what is left of such a run that was killed, which it removes too. An error is that it
// could not be done; what is wrong with the directory is in the report.
func Run(ctx context.Context, config Config) (report *Report, err error) {
	if config.Progress == nil {
		config.Progress = func(time.Duration, string) {}
	}
	r := &runner{Config: config, begun: time.Now(), report: &Report{Dir: config.Dir, Processes: config.Processes, Checks: []Check{}}}
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
			err = errors.Join(err, fmt.Errorf("remove what the test made; do so by hand: %w", removeErr))
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

// share is a part of the time, in hundredths.
func (r *runner) share(hundredths int) time.Duration { return r.Time * time.Duration(hundredths) / 100 }

// tests runs all tests, each for its share of the time. One that finds something wrong does not keep
// the next from being run.
func (r *runner) tests(ctx context.Context) {
	modes := []string{"hash", "mtime", "locking"}
	if !r.report.Facts.Mtime {
		modes = []string{"hash", "locking"}
	}
	levels := []store.Durability{store.Durable, store.Ordered, store.Volatile}
	r.test(ctx, Check{Name: "locks exclude"}, func(c *Check, dir string) error { return r.locks(ctx, c, dir, r.share(12)) })
	r.test(ctx, Check{Name: "a dead holder"}, func(c *Check, dir string) error { return r.deadHolder(ctx, c, dir) })
	for _, mode := range modes {
		for _, level := range levels {
			way := Way{mode, level}
			r.test(ctx, wayCheck("no lost update", way), func(c *Check, dir string) error {
				return r.counts(ctx, c, dir, way, r.share(50)/time.Duration(len(modes)*len(levels)))
			})
		}
	}
	for i, mode := range modes {
		way := Way{mode, levels[i]} // what is flushed makes no difference to a process that dies
		r.test(ctx, wayCheck("killed writers", way), func(c *Check, dir string) error {
			return r.kills(ctx, c, dir, way, r.share(23)/time.Duration(len(modes)))
		})
	}
	r.test(ctx, Check{Name: "no torn read"}, func(c *Check, _ string) error { return r.torn(c) })
	r.test(ctx, Check{Name: "one creator"}, func(c *Check, dir string) error { return r.creations(ctx, c, dir, r.share(10)) })
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

// shorten takes the names of our own directories out of a message.
func (r *runner) shorten(text string) string {
	if dir, err := filepath.Abs(r.dir); err == nil {
		text = strings.ReplaceAll(text, dir+string(filepath.Separator), "")
	}
	return strings.ReplaceAll(text, r.dir+string(filepath.Separator), "")
}

// sleep waits, but not longer than the context.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
