package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
	"github.com/jsonstore/jsonstore/store"
)

// The journal's real code on a simulated file system.

const simulatedPath = "/dir/j"

// openSimulated opens the journal in a simulated process.
func openSimulated(files fsys.FS, opts Options) (*Journal, error) {
	opts.OnRepair = func(Repair) {}
	var tidyErr error
	opts.OnTidy = func(err error) { tidyErr = err }
	j, err := openFiles(files, simulatedPath, &opts)
	if err != nil {
		return nil, err
	}
	j.simulated = true
	j.background = func(f func()) { f() }
	return j, tidyErr
}

// scene is a journal and the processes that use it.
type scene struct {
	start     string // the content of the live file at the beginning
	appenders []Options
	twice     bool     // each appender appends a second time
	batch     bool     // each append is of two values
	rotator   *Options // rotates on demand, compresses and removes
	reader    bool
	from2     bool // the reader begins with the second record
	remover   bool // a program that removes the lock file while it holds the lock
	deaths    int
	large     bool // takes minutes
	middle    bool // takes some seconds

	said *said
}

// said is what the processes of one run were told.
type said struct {
	acknowledged map[uint64]string // values by number
	begun        map[string]bool   // values whose append has begun
	seen         map[uint64]string // by readers
}

// quiet returns what says whether an operation is noticed by no other process.
func (s *scene) quiet(w *simfs.World) func(op, name string) bool {
	before := map[string]string{}
	return func(op, name string) bool {
		base, last := filepath.Base(name), before[w.Asking.Name]
		before[w.Asking.Name] = op + name
		switch {
		case name == names.Lock(simulatedPath):
			return !s.remover || op == "truncate"
		case strings.HasPrefix(op, "sync"), op == "stat", strings.HasSuffix(base, ".gate"):
			return true
		case strings.HasSuffix(base, tornSuffix+".tmp"), strings.HasSuffix(base, tornSuffix):
			return op != "rename new"
		}
		switch op {
		case "open", "open append", "lstat", "read", "readdir":
			// Under the lock, nobody else changes what is looked at. A second look at the
			// same thing is for systems whose reads are not atomic, as they are here.
			return w.Asking.Holds(names.Lock(simulatedPath)) || last == op+name
		}
		return false
	}
}

// values are what an appender appends, one slice each time.
func (s *scene) values(name string) (all [][]string) {
	for i := range 2 {
		v := []string{fmt.Sprintf(`"%s%d"`, name, i)}
		if s.batch {
			v = append(v, fmt.Sprintf(`"%s%d+"`, name, i))
		}
		all = append(all, v)
		if !s.twice {
			break
		}
	}
	return all
}

func (s *scene) setup(w *simfs.World) (check func() error) {
	w.Quiet = s.quiet(w)
	if !s.remover {
		w.Put(names.Lock(simulatedPath), "")
	}
	s.said = &said{map[uint64]string{}, map[string]bool{}, map[uint64]string{}}
	told := s.said
	if s.start != "" {
		w.Put(simulatedPath, s.start)
		for i, value := range strings.Split(s.start, "\n") {
			if value == "" {
				break
			}
			if strings.HasSuffix(s.start, "\n") || i < strings.Count(s.start, "\n") {
				told.acknowledged[uint64(i)+1], told.begun[value] = value, true
			}
		}
	}
	for i, opts := range s.appenders {
		name := string(rune('a' + i))
		w.Go(name, func(files fsys.FS) error { return s.append(files, name, opts, told) })
	}
	if s.rotator != nil {
		w.Go("rotator", func(files fsys.FS) error {
			return withSimulated(files, *s.rotator, func(j *Journal) error {
				_, err := j.Rotate(context.Background())
				return err
			})
		})
	}
	if s.reader {
		from := uint64(1)
		if s.from2 {
			from = 2
		}
		w.Go("reader", func(files fsys.FS) error { return readSimulated(files, told, from) })
	}
	if s.remover {
		w.Go("remover", removeLock)
	}
	return func() error {
		return s.afterwards(w, told, s.deaths > 0 || !strings.HasSuffix(s.start, "\n"))
	}
}

func withSimulated(files fsys.FS, opts Options, do func(j *Journal) error) error {
	j, err := openSimulated(files, opts)
	if err != nil {
		return err
	}
	defer j.Close()
	return do(j)
}

func (s *scene) append(files fsys.FS, name string, opts Options, told *said) error {
	return withSimulated(files, opts, func(j *Journal) error {
		for _, values := range s.values(name) {
			var data [][]byte
			for _, v := range values {
				data, told.begun[v] = append(data, []byte(v)), true
			}
			first, n, err := j.AppendAll(context.Background(), data...)
			if err != nil {
				return err
			}
			if n != len(values) {
				return fmt.Errorf("%d of %d appended without an error", n, len(values))
			}
			for i, v := range values {
				seq := first + uint64(i)
				if other, ok := told.acknowledged[seq]; ok {
					return fmt.Errorf("%s and %s have the number %d", other, v, seq)
				}
				told.acknowledged[seq] = v
			}
		}
		return nil
	})
}

// readSimulated reads, and once more from where it was.
func readSimulated(files fsys.FS, told *said, from uint64) error {
	return withSimulated(files, Options{}, func(j *Journal) error {
		c := j.cursor(from)
		defer c.close()
		last := from - 1
		for range 2 {
			for {
				r, err := c.read()
				if err != nil && err.Error() == "EOF" {
					break
				}
				if err != nil {
					return fmt.Errorf("a reader: %w", err)
				}
				if r.Seq != last+1 {
					return fmt.Errorf("a reader saw %d after %d", r.Seq, last)
				}
				last = r.Seq
				if !told.begun[string(r.Value)] {
					return fmt.Errorf("a reader saw %s, which nobody appends", r.Value)
				}
				told.seen[r.Seq] = string(r.Value)
			}
		}
		return nil
	})
}

// removeLock removes the lock file while it holds the lock, if that still is the lock.
func removeLock(files fsys.FS) error {
	path := names.Lock(simulatedPath)
	file, err := files.Open(path, fsys.OpenLock, 0o600)
	if err == nil {
		err = file.Lock(0)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	locked, _ := file.Stat()
	if named, err := files.Lstat(path); err != nil || !named.SameFile(locked) {
		return nil
	}
	return files.Remove(path)
}

// afterwards lets the next process append, rotate and tidy, and checks all that is there
// then.
func (s *scene) afterwards(w *simfs.World, told *said, torn bool) error {
	var found []Record
	// Compression takes a million bytes of memory, and there are a million orders.
	compresses := s.rotator != nil && !s.rotator.Plain
	err := w.Sequentially("next", func(files fsys.FS) error {
		return withSimulated(files, Options{Plain: !compresses}, func(j *Journal) error {
			seq, err := j.Append(context.Background(), []byte(`"next"`))
			if err == nil {
				_, err = j.Rotate(context.Background())
			}
			if err != nil {
				return fmt.Errorf("the next process: %w", err)
			}
			for r, err := range j.Records(context.Background(), s.from()) {
				if err != nil {
					return fmt.Errorf("found afterwards: %w", err)
				}
				found = append(found, r)
			}
			return isLast(found, seq)
		})
	}, nil)
	if err == nil {
		err = told.judge(found)
	}
	if err == nil {
		err = noLitter(w, torn, compresses)
	}
	return err
}

// from is from where records are read: all, or those that retention has left.
func (s *scene) from() uint64 {
	if s.rotator != nil && s.rotator.Retention != (Retention{}) {
		return 0
	}
	return 1
}

// isLast wants the last record to have the number that the next process was told.
func isLast(found []Record, seq uint64) error {
	last := len(found) - 1
	if last < 0 || found[last].Seq != seq || string(found[last].Value) != `"next"` {
		return fmt.Errorf("the next process appended %d, and found %q", seq, valuesOf(found))
	}
	return nil
}

// judge compares the records that were found with what was said.
func (told *said) judge(found []Record) error {
	seen := map[string]bool{}
	at := map[string]int{}
	base := found[0].Seq
	has := func(seq uint64, value string) bool {
		return seq < base || seq-base < uint64(len(found)) && string(found[seq-base].Value) == value
	}
	for i, r := range found[:len(found)-1] {
		value := string(r.Value)
		switch {
		case r.Seq != base+uint64(i):
			return fmt.Errorf("record %d is at %d", r.Seq, base+uint64(i))
		case !told.begun[value]:
			return fmt.Errorf("found %s, which nobody appended", value)
		case seen[value]:
			return fmt.Errorf("found %s twice", value)
		}
		seen[value], at[value] = true, i
	}
	for seq, value := range told.acknowledged {
		if !has(seq, value) {
			return fmt.Errorf("%s was acknowledged as %d; found %q", value, seq, valuesOf(found))
		}
	}
	for seq, value := range told.seen {
		if !has(seq, value) {
			return fmt.Errorf("a reader saw %s as %d; found %q", value, seq, valuesOf(found))
		}
	}
	for first, i := range at {
		if strings.HasSuffix(first, `0"`) {
			later, ok := at[strings.Replace(first, `0"`, `1"`, 1)]
			if ok && later < i {
				return fmt.Errorf("%s comes after the next one of its process", first)
			}
		}
	}
	return nil
}

func valuesOf(found []Record) (all []string) {
	for _, r := range found {
		all = append(all, string(r.Value))
	}
	return all
}

// noLitter allows the lock file, segments and, if a process died, torn tails.
func noLitter(w *simfs.World, torn, compressed bool) error {
	left := slices.DeleteFunc(w.Names(), func(name string) bool {
		s, ok := parseSegment(filepath.Base(simulatedPath), filepath.Base(name))
		return name == names.Lock(simulatedPath) || ok && s.Compressed == compressed ||
			torn && strings.HasSuffix(name, tornSuffix)
	})
	if len(left) > 0 {
		return fmt.Errorf("litter: %q", left)
	}
	return nil
}

// durabilities are the levels, by name.
var durabilities = []store.Durability{store.Durable, store.Ordered, store.Volatile}
