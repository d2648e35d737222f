// Package verify finds out whether a directory is fit for documents: by probing the file system
// (Probe, the command's doctor), and by a storm of real processes that try to break it (Run, the
// command's verify). Both record facts first. Pure functions judge the facts afterwards, so that
// tests can present a file system that breaks its promises.
package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

// Facts are the results of Probe, without a judgement. An empty Error means that there was none.
type Facts struct {
	Dir        string `json:"dir"`
	System     string `json:"system"`
	FileSystem string `json:"file_system"`       // ext4, xfs …; empty if unknown
	Network    string `json:"network,omitempty"` // the network file system, empty for a local one

	// OneJournal is set if one journal has all changes, so that one flush after the rename is
	// enough.
	OneJournal bool `json:"one_journal"`

	// ReplaceError is the error of creating, writing, reading, replacing and removing a file.
	// If there is one, the other facts are missing.
	ReplaceError string `json:"replace_error,omitempty"`

	// between two descriptors of one process
	LockExcludes       bool   `json:"lock_excludes"`
	LockExcludesOthers bool   `json:"lock_excludes_others"`  // between processes
	LockFreed          bool   `json:"lock_freed"`            // the release freed the lock
	LockError          string `json:"lock_error,omitempty"`  // the error of locking
	OtherError         string `json:"other_error,omitempty"` // the error of the other process

	NoReplace      string `json:"no_replace"` // native, link or none
	NoReplaceError string `json:"no_replace_error,omitempty"`
	Exchange       bool   `json:"exchange"` // two names can be exchanged atomically
	HardLinks      bool   `json:"hard_links"`
	Generation     bool   `json:"generation"` // distinguishes files that had the same inode number

	TimeStep   int64  `json:"time_step_ns"`  // step of the times that can be set
	ClockStep  int64  `json:"clock_step_ns"` // step of the clock that the store uses for them
	WriteStep  int64  `json:"write_step_ns"` // step of the times of writes; 0: over writesLooked
	Mtime      bool   `json:"mtime"`         // the store accepts versions by time here
	MtimeError string `json:"mtime_error,omitempty"`

	FlushFile  time.Duration `json:"flush_file_ns"`
	FlushDir   time.Duration `json:"flush_dir_ns"`
	FlushError string        `json:"flush_error,omitempty"`
}

// Asker asks another process whether the lock on a file is free.
type Asker func(ctx context.Context, path string) (free bool, err error)

// probePrefix begins the names of a probe's files in a user's directory.
const probePrefix = ".jsonstore-probe-"

// probe is the state of one Probe. Its temporary files have unique names with a number.
type probe struct {
	files fsys.FS
	dir   string
	id    string
	made  []string
}

// Probe probes a directory. It makes a few small files there and removes them.
func Probe(ctx context.Context, files fsys.FS, dir string, ask Asker) Facts {
	facts := Facts{Dir: dir, System: runtime.GOOS, NoReplace: "none"}
	facts.FileSystem, _ = files.Type(dir)
	facts.Network, _ = files.Network(dir)
	facts.OneJournal = files.OneJournal(dir)
	p := &probe{files: files, dir: dir, id: fmt.Sprintf("%s%016x", probePrefix, files.Random())}
	defer p.clean()
	if err := p.replace(); err != nil {
		facts.ReplaceError = err.Error()
		return facts
	}
	p.locks(ctx, &facts, ask)
	p.names(&facts)
	p.times(&facts)
	p.flushes(&facts)
	return facts
}

// name returns a new name for a file, which clean will remove.
func (p *probe) name() string {
	name := filepath.Join(p.dir, fmt.Sprintf("%s-%d", p.id, len(p.made)))
	p.made = append(p.made, name)
	return name
}

func (p *probe) clean() {
	for _, name := range p.made {
		_ = p.files.Remove(name)
	}
}

// create makes a file with a content.
func (p *probe) create(content string) (name string, file fsys.File, err error) {
	name = p.name()
	if file, err = p.files.Open(name, fsys.OpenNew, 0o600); err != nil {
		return name, nil, err
	}
	if _, err = io.WriteString(file, content); err != nil {
		file.Close()
		return name, nil, err
	}
	return name, file, nil
}

// holds reports whether a file has a content.
func (p *probe) holds(name, content string) bool {
	file, err := p.files.Open(name, fsys.OpenExisting, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	return err == nil && bytes.Equal(data, []byte(content))
}

func (p *probe) replace() error {
	from, file, err := p.create("new")
	if err != nil {
		return err
	}
	file.Close()
	to, file, err := p.create("old")
	if err != nil {
		return err
	}
	file.Close()
	if err := p.files.Rename(from, to, fsys.Replace); err != nil {
		return err
	}
	if !p.holds(to, "new") {
		return errors.New("the file that took the place of another does not have its own content")
	}
	return p.files.Remove(to)
}

func (p *probe) locks(ctx context.Context, facts *Facts, ask Asker) {
	err := func() error {
		name := p.name()
		var descriptors [2]fsys.File
		for i := range descriptors {
			var err error
			if descriptors[i], err = p.files.Open(name, fsys.OpenLock, 0o600); err != nil {
				return err
			}
			defer descriptors[i].Close()
		}
		first, second := descriptors[0], descriptors[1]
		if free, err := first.TryLock(); err != nil {
			return err
		} else if !free {
			return errors.New("nobody holds the lock on a new file and it cannot be had")
		}
		free, err := second.TryLock()
		if err != nil {
			return err
		}
		facts.LockExcludes = !free
		freeForOther, askErr := true, errors.New("not asked")
		if ask != nil {
			freeForOther, askErr = ask(ctx, name)
		}
		if askErr != nil {
			facts.OtherError = askErr.Error()
		}
		facts.LockExcludesOthers = askErr == nil && !freeForOther
		if err := first.Unlock(); err != nil {
			return err
		}
		facts.LockFreed, err = second.TryLock()
		return err
	}()
	if err != nil {
		facts.LockError = err.Error()
	}
}

// names probes the operations on names other than replacing.
func (p *probe) names(facts *Facts) {
	a, fileA, errA := p.create("a")
	b, fileB, errB := p.create("b")
	if err := errors.Join(errA, errB); err != nil {
		facts.NoReplaceError = err.Error()
		return
	}
	fileA.Close()
	fileB.Close()

	err := p.files.Rename(a, b, fsys.Exchange)
	facts.Exchange = err == nil && p.holds(a, "b") && p.holds(b, "a")
	if facts.Exchange {
		a, b = b, a
	}

	second := p.name()
	if err := p.files.Link(a, second); err == nil {
		one, errOne := p.files.Lstat(a)
		two, errTwo := p.files.Lstat(second)
		facts.HardLinks = errOne == nil && errTwo == nil && one.SameFile(two) && one.Links == 2
		_ = p.files.Remove(second)
	}

	free := p.name()
	err = p.files.Rename(a, b, fsys.NoReplace)
	switch {
	case err == nil:
		facts.NoReplaceError = "a rename that ought not to replace did"
		return
	case !errors.Is(err, fs.ErrExist):
		facts.NoReplaceError = err.Error()
		return
	case !p.holds(a, "a") || !p.holds(b, "b"):
		facts.NoReplaceError = "a rename that did not happen changed a file"
		return
	}
	if err := p.files.Rename(a, free, fsys.NoReplace); err != nil || !p.holds(free, "a") {
		facts.NoReplaceError = fmt.Sprintf("a rename to a free name does not work: %v", err)
		return
	}
	facts.NoReplace = "link"
	// No system can link directories. If a directory can be renamed without replacing, the
	// system has a call for that.
	dir, moved := p.name(), p.name()
	if p.files.Mkdir(dir, 0o700) == nil && p.files.Rename(dir, moved, fsys.NoReplace) == nil {
		facts.NoReplace = "native"
	}
}

// writesLooked is how long Probe looks for a step of the times of writes.
const writesLooked = 30 * time.Millisecond

func (p *probe) times(facts *Facts) {
	name, file, err := p.create("")
	if err != nil {
		facts.MtimeError = err.Error()
		return
	}
	defer file.Close()
	facts.ClockStep = clockStep(p.files.Now)
	facts.WriteStep = writeStep(file, p.files.Now)
	_, facts.Generation = file.Generation()
	facts.TimeStep, err = timeStep(file, p.files.Now())
	if err == nil {
		// The store has the last word.
		var doc *store.Doc
		if doc, err = store.OpenFile(name,
			&store.Options{Versions: store.VersionMtime, AllowNetwork: true}); err == nil {
			doc.Close()
		}
	}
	facts.Mtime = err == nil
	switch {
	case errors.Is(err, store.ErrUnsupported):
		facts.MtimeError = "the file system's times are too coarse"
	case err != nil:
		facts.MtimeError = err.Error()
	}
}

// timeStep sets times and reads them back.
func timeStep(file fsys.File, now int64) (int64, error) {
	var got []int64
	for i := range int64(12) {
		// The steps have all sizes, even and odd, over some seconds.
		want := now - i*i*i*7_919_317_771%17_000_000_000 - i*(i-1)/2
		if err := file.SetMtime(want); err != nil {
			return 0, err
		}
		info, err := file.Stat()
		if err != nil {
			return 0, err
		}
		got = append(got, info.Mtime)
	}
	return commonStep(got), nil
}

// commonStep returns the largest number of which all times are multiples.
func commonStep(times []int64) int64 {
	step := int64(0)
	for _, t := range times {
		for t != 0 {
			step, t = t, step%t
		}
	}
	return step
}

// clockStep returns the smallest step of the clock that was seen.
func clockStep(now func() int64) int64 {
	var seen []int64
	for range 1000 {
		seen = append(seen, now())
	}
	return smallestStep(seen)
}

// writeStep returns the smallest step between the times of a file that is written repeatedly.
func writeStep(file fsys.File, now func() int64) int64 {
	var seen []int64
	for end := now() + int64(writesLooked); now() < end && len(seen) < 10_000; {
		if _, err := file.Write([]byte(".")); err != nil {
			break
		}
		info, err := file.Stat()
		if err != nil {
			break
		}
		seen = append(seen, info.Mtime)
	}
	return smallestStep(seen)
}

// smallestStep returns the smallest step forward between neighbours, or 0 if there is none.
func smallestStep(times []int64) (step int64) {
	for i := 1; i < len(times); i++ {
		if d := times[i] - times[i-1]; d > 0 && (step == 0 || d < step) {
			step = d
		}
	}
	return step
}

func (p *probe) flushes(facts *Facts) {
	_, file, err := p.create("{}")
	if err == nil {
		defer file.Close()
		start := time.Now()
		err = file.Sync()
		facts.FlushFile = time.Since(start)
	}
	if err == nil {
		start := time.Now()
		err = fsys.SyncDir(p.files, p.dir)
		facts.FlushDir = time.Since(start)
	}
	if err != nil {
		facts.FlushError = err.Error()
	}
}
