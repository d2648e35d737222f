package filelock_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/filelock"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

const simulatedLock = "/dir/.d.json.lock"

// scene is a lock, and the processes that want it.
type scene struct {
	lends    string // how the lender has it: x (exclusive), s (shared) or empty for none
	inside   string // processes that it is lent to, by the lock that they want
	outside  string // and others
	remover  bool   // one removes the lock file while it holds the lock
	nests    bool   // the first one inside lends the lock on, to one more
	abandons bool   // the lender does not take the lock back
	deaths   int
	middle   bool // takes some seconds
}

// among checks that the holders of the lock exclude each other.
type among struct{ exclusive, shared int }

// hold takes the lock, does something that others could see, and releases it.
func (a *among) hold(t *filelock.Table[struct{}], files fsys.FS, shared bool) error {
	held := filelock.Held[struct{}]{}
	err := t.Acquire(context.Background(), simulatedLock,
		&filelock.Request{Shared: shared, Perm: 0o600}, &held)
	if err != nil {
		return err
	}
	err = a.use(files, shared)
	held.Release()
	return err
}

func (a *among) use(files fsys.FS, shared bool) error {
	count := &a.exclusive
	if shared {
		count = &a.shared
	}
	*count++
	defer func() { *count-- }() // also of a process that dies
	// The simulator takes the first operation together with the locking, and the last one with
	// the unlocking.
	for range 3 {
		_, _ = files.Lstat("/dir/used")
	}
	if a.exclusive > 1 || a.exclusive == 1 && a.shared > 0 {
		return fmt.Errorf("%d have an exclusive lock, %d a shared one", a.exclusive, a.shared)
	}
	return nil
}

func table(files fsys.FS, in *filelock.Inherited) *filelock.Table[struct{}] {
	return &filelock.Table[struct{}]{Files: files, Inherited: in,
		Make: func(path string) (string, struct{}) { return path, struct{}{} }}
}

// digitsOf are those of the first lock that a process lends.
func digitsOf(process int) string {
	return fmt.Sprintf("%016x%016x", process<<32|1, process<<32|2)
}

func (s scene) setup(w *simfs.World) (check func() error) {
	w.Quiet = func(op, name string) bool {
		// Nobody removes the lock file, so that it makes no difference when it is looked at.
		return name == simulatedLock && !s.remover && (op == "open" || op == "lstat")
	}
	if !s.remover {
		w.Put(simulatedLock, "")
	}
	a := &among{}
	var all []*simfs.Process
	begin := func(name string, run func(files fsys.FS) error) {
		all = append(all, w.Go(name, run))
	}
	var lent, lentOn fsys.File
	if s.lends != "" {
		begin("lender", func(files fsys.FS) error { return s.lend(a, files, &lent) })
	}
	within := func(kind string, nests bool) func(files fsys.FS) error {
		return func(files fsys.FS) error {
			held := names.Held(simulatedLock, digitsOf(1), s.lends == "s")
			if _, err := files.Lstat(held); err != nil || !all[0].Holds(simulatedLock) {
				return nil // it is not started
			}
			in, file := &filelock.Inherited{}, files.(*simfs.Process).Inherit(lent)
			defer file.Close()
			in.Add(file, digitsOf(1))
			if nests {
				return s.lendOn(a, files, table(files, in), &lentOn)
			}
			err := a.hold(table(files, in), files, kind == "s")
			if errors.Is(err, filelock.ErrUpgrade) && s.lends == "s" && kind == "x" {
				return nil
			}
			return err
		}
	}
	for i, kind := range strings.Split(s.inside, "") {
		begin(fmt.Sprint("inside ", i), within(kind, s.nests && i == 0))
	}
	if s.nests {
		begin("nested", func(files fsys.FS) error {
			if _, err := files.Lstat(names.Held(simulatedLock, digitsOf(2), false)); err != nil {
				return nil
			}
			p, in := files.(*simfs.Process), &filelock.Inherited{}
			outer, inner := p.Inherit(lent), p.Inherit(lentOn)
			defer outer.Close()
			defer inner.Close()
			in.Add(outer, digitsOf(1))
			in.Add(inner, digitsOf(2))
			return a.hold(table(files, in), files, false)
		})
	}
	for i, kind := range strings.Split(s.outside, "") {
		begin(fmt.Sprint("outside ", i), func(files fsys.FS) error {
			return a.hold(table(files, nil), files, kind == "s")
		})
	}
	if s.remover {
		begin("remover", func(files fsys.FS) error {
			held := filelock.Held[struct{}]{}
			err := table(files, nil).Acquire(context.Background(), simulatedLock,
				&filelock.Request{Perm: 0o600}, &held)
			if err == nil {
				err = files.Remove(simulatedLock)
				held.Release()
			}
			return err
		})
	}
	return func() error {
		for _, p := range all {
			if err := p.Err(); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			if !p.Done() && s.deaths == 0 {
				return fmt.Errorf("%s has not ended", p.Name)
			}
		}
		return nil
	}
}

// lend takes the lock, lends it, and takes it back.
func (s scene) lend(a *among, files fsys.FS, lent *fsys.File) error {
	held := filelock.Held[struct{}]{}
	err := table(files, nil).Acquire(context.Background(), simulatedLock,
		&filelock.Request{Shared: s.lends == "s", Perm: 0o600}, &held)
	if err != nil {
		return err
	}
	if err := a.use(files, s.lends == "s"); err != nil {
		return err
	}
	return end(&held, files, lent, s.abandons)
}

// lendOn is lend for a process to which the lock is lent.
func (s scene) lendOn(
	a *among, files fsys.FS, t *filelock.Table[struct{}], lent *fsys.File,
) error {
	held := filelock.Held[struct{}]{}
	err := t.Acquire(context.Background(), simulatedLock, &filelock.Request{Perm: 0o600}, &held)
	if err != nil {
		return err
	}
	if err := a.use(files, false); err != nil {
		return err
	}
	return end(&held, files, lent, false)
}

func end(held *filelock.Held[struct{}], files fsys.FS, lent *fsys.File, abandons bool) error {
	loan, err := held.Lend()
	if err != nil {
		return err
	}
	*lent = loan.File()
	_, _ = files.Lstat("/dir/lent") // the command runs
	if abandons {
		loan.Abandon()
		return nil
	}
	return loan.End(context.Background())
}

// TestExplore: in every order of the operations, the holders of a lock exclude each other, and
// all who want it get it.
func TestExplore(t *testing.T) {
	if filepath.Separator != '/' {
		t.Skip("the simulated file system has slashes")
	}
	for name, s := range map[string]scene{
		"three":                             {outside: "xxx"},
		"readers and writers":               {outside: "sxsx", middle: true},
		"a remover":                         {outside: "xs", remover: true},
		"two deaths":                        {outside: "sxx", deaths: 2},
		"lent":                              {lends: "x", inside: "xx", outside: "x"},
		"lent, and shared inside":           {lends: "x", inside: "ss", outside: "x", middle: true},
		"lent, and both inside":             {lends: "x", inside: "sx", outside: "s", middle: true},
		"lent, and a death":                 {lends: "x", inside: "xx", outside: "x", deaths: 1, middle: true},
		"lent, and a remover":               {lends: "x", inside: "x", outside: "x", remover: true},
		"lent and left":                     {lends: "x", inside: "xx", outside: "x", abandons: true},
		"lent on":                           {lends: "x", inside: "x", outside: "x", nests: true, middle: true},
		"lent shared":                       {lends: "s", inside: "sx", outside: "x"},
		"lent shared, and a reader outside": {lends: "s", inside: "s", outside: "sx", deaths: 1, middle: true},
	} {
		t.Run(name, func(t *testing.T) {
			if raceDetector {
				t.Skip("has no two goroutines that run at once")
			}
			if s.middle && testing.Short() {
				t.Skip("takes seconds, and -short is set")
			}
			t.Parallel()
			e := simfs.Explorer{Deaths: s.deaths, Setup: s.setup}
			if err := e.Run(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d states, %d runs", e.States, e.Runs)
		})
	}
}
