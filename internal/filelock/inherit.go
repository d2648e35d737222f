// Locks that this process was lent, by a process that runs a command under its lock.
//
// The command and all that it starts have the open file of the lock, and so the lock. They
// still have to exclude each other, and none of them may go on when the lender gives the lock
// back. So a lender makes a file of its own, for the time that it lends the lock: .NAME.<digits>
// .held. Who was lent the lock locks that file, in place of the lock file, and holds the lock
// if then
//
//	- the file that it has locked still has its name: the lender removes the name under this
//	  same lock before it gives its own lock back
//	- the descriptor that it has inherited is the file that the lock file's name names now
//	- an exclusive lock can be had through the descriptor without waiting, which changes
//	  nothing where it has the lock, and is refused where somebody else has it
//
// If one of these is not so, what it was told is stale or forged, and it takes the lock as
// anybody does. If that would make it wait while the lender's file is there, it is an error: a
// program between the two has closed the descriptor, and the lender waits for the command.
//
// A process may lend the lock to a command of its own, with another file: the command
// then has two descriptors, of the lock file and of the file of the first lender.

package filelock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// Variable is the environment variable that names the locks that a process was lent:
// descriptor, colon and digits of each, separated by commas. The descriptor is empty where a
// process cannot be lent one.
const Variable = "JSONSTORE_LOCKS"

// Inherited are the locks that a process was lent.
type Inherited struct {
	loans  []loan
	digits []string // of all that the variable names, also without a descriptor
}

// loan is one of them.
type loan struct {
	file   fsys.File // the lender's, and not to be closed
	info   fsys.Info
	digits string
}

// Inherit returns the locks that the value of Variable names, or nil if there is none. A
// descriptor that is not open, and whatever has another form, is ignored.
func Inherit(value string) *Inherited {
	in := &Inherited{}
	for _, text := range strings.Split(value, ",") {
		number, digits, _ := strings.Cut(text, ":")
		if !names.AreRandom(digits) || len(in.digits) == maxLoans {
			continue
		}
		in.digits = append(in.digits, digits)
		fd, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			continue
		}
		if file, err := fsys.Adopt(int(fd)); err == nil {
			in.add(file, digits)
		}
	}
	if len(in.digits) == 0 {
		return nil
	}
	return in
}

// OfProcess returns the locks that this process was lent when it began, or nil.
var OfProcess = sync.OnceValue(func() *Inherited { return Inherit(os.Getenv(Variable)) })

// maxLoans bounds the work for a long value of the variable.
const maxLoans = 100

// Add adds an open file whose lock was lent.
func (in *Inherited) Add(file fsys.File, digits string) {
	in.digits = append(in.digits, digits)
	in.add(file, digits)
}

func (in *Inherited) add(file fsys.File, digits string) {
	if info, err := file.Stat(); err == nil && info.Mode.IsRegular() {
		in.loans = append(in.loans, loan{file, info, digits})
	}
}

// chain are the loans of a lock that are in force, the outermost first.
type chain struct {
	loans  []*loan
	target string // what is locked within them
	shared bool   // the last one is of a shared lock, of target
}

// chain finds the loans of the lock file at a path, except those that are refused.
func (in *Inherited) chain(files fsys.FS, path string, refused map[*loan]bool) (chain, error) {
	c := chain{target: path}
	for {
		now, err := files.Lstat(c.target)
		if err != nil {
			return c, ignoreNotExist(err)
		}
		found, shared, err := in.find(files, path, now, func(l *loan) bool {
			return refused[l] || slices.Contains(c.loans, l)
		})
		switch {
		case err != nil || found == nil:
			return c, err
		case shared:
			c.shared = true
			return c, nil
		}
		c.loans = append(c.loans, found)
		c.target = names.Held(path, found.digits, false)
	}
}

// find returns the loan in force of the lock on a file, nil if there is none.
func (in *Inherited) find(
	files fsys.FS, path string, locked fsys.Info, except func(l *loan) bool,
) (found *loan, shared bool, err error) {
	for i := range in.loans {
		l := &in.loans[i]
		if except(l) || !l.info.SameFile(locked) {
			continue
		}
		for _, shared := range []bool{false, true} {
			info, err := files.Lstat(names.Held(path, l.digits, shared))
			if err == nil && info.Mode.IsRegular() {
				return l, shared, nil
			}
			if ignoreNotExist(err) != nil {
				return nil, false, err
			}
		}
	}
	return nil, false, nil
}

// lockWithin takes the lock within the locks that were lent. Done is false if none is in
// force.
func (t *Table[T]) lockWithin(
	ctx context.Context, how *Request, held *Held[T],
) (done bool, err error) {
	refused := map[*loan]bool{}
	for ctx.Err() == nil {
		c, err := t.Inherited.chain(t.Files, held.Entry.Path, refused)
		switch {
		case err != nil:
			return false, err
		case c.shared && !how.Shared:
			return false, ErrUpgrade
		case c.shared:
			done, err := t.shareAgain(c, held)
			if done || err != nil || len(c.loans) == 0 {
				return done, err
			}
		case len(c.loans) == 0:
			return false, nil
		}
		inner, err := t.lockInner(ctx, c, held.Entry.Path, how)
		if inner.file == nil && err == nil {
			continue // the lender has taken its lock back
		}
		if err != nil {
			return false, err
		}
		ok, err := t.holds(c, inner, refused, held)
		if ok {
			return true, nil
		}
		inner.file.Close()
		if err != nil {
			return false, err
		}
	}
	return false, context.Cause(ctx)
}

// shareAgain shares a lock that the command shares already. It does not pass the gate: who
// waits there waits for the command.
func (t *Table[T]) shareAgain(c chain, held *Held[T]) (bool, error) {
	file, err := t.Files.Open(c.target, fsys.OpenExisting, 0)
	if err != nil {
		return false, ignoreNotExist(err)
	}
	inner := opened{file: file}
	if inner.info, err = file.Stat(); err == nil {
		var locked bool
		if locked, err = file.TryLockShared(); locked {
			var ok bool
			if ok, err = t.holds(c, inner, map[*loan]bool{}, held); ok {
				return true, nil
			}
		}
	}
	file.Close()
	return false, err
}

// lockInner locks the file of the last lender of a chain. It returns none if that is gone.
func (t *Table[T]) lockInner(
	ctx context.Context, c chain, lock string, how *Request,
) (opened, error) {
	path := c.target
	file, err := t.Files.Open(path, fsys.OpenExisting, 0)
	if err != nil {
		return opened{}, ignoreNotExist(err)
	}
	f := opened{file: file}
	if f.info, err = file.Stat(); err != nil {
		return f.unless(err)
	}
	asked := *how
	asked.NoGate = true // the file is there for a moment
	if locked, err := t.try(file, path, &asked); locked || err != nil {
		return f.unless(err)
	}
	t.busy(how)
	switch {
	case how.NoWait:
		return f.unless(ErrBusy)
	case t.Inherited.missesDescriptor(t.Files, lock, c.loans[len(c.loans)-1].digits):
		return f.unless(ErrNotPassed)
	case ctx.Done() == nil:
		return f.unless(t.wait(file, path, &asked))
	}
	// Nobody joins this wait: the next caller may find another lender's file.
	w := &kernelWait{done: make(chan struct{}), joined: true}
	w.start(f, func() error { return t.wait(file, path, &asked) }, func() {})
	f, _, err = w.join(ctx)
	return f, err
}

// holds reports whether the loans of a chain are in force, now that what is within them is
// locked. A loan that is not what it says to be is refused from now on.
func (t *Table[T]) holds(
	c chain, inner opened, refused map[*loan]bool, held *Held[T],
) (bool, error) {
	named, same, err := t.stillNamed(c.target, inner.info)
	if !same {
		return false, err
	}
	outer := inner
	path := held.Entry.Path
	for i, l := range c.loans {
		now, same, err := t.stillNamed(path, l.info)
		if !same {
			return false, err
		}
		if is, err := l.file.Stat(); err != nil || !is.SameFile(l.info) {
			refused[l] = true // the number is another file's by now
			return false, nil
		}
		if locked, err := l.file.TryLock(); err != nil || !locked {
			refused[l] = true
			return false, nil
		}
		if i == 0 {
			outer, named = opened{l.file, l.info}, now
		}
		path = names.Held(held.Entry.Path, l.digits, false)
	}
	held.has(outer, named)
	held.inner, held.Lent = inner.file, true
	return true, nil
}

// missesDescriptor reports whether this process is within a command to which a lock file's
// lock is lent, though it has no descriptor with the lock. If it has that of a lender, the
// lenders within its command are asked about.
func (in *Inherited) missesDescriptor(files fsys.FS, path, lender string) bool {
	// A lock that is lent on is told last.
	for _, digits := range in.digits[slices.Index(in.digits, lender)+1:] {
		for _, shared := range []bool{false, true} {
			info, err := files.Lstat(names.Held(path, digits, shared))
			if err == nil && info.Mode.IsRegular() {
				return true
			}
		}
	}
	return false
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
