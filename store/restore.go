// Recovery of a document that is broken: empty, torn, or otherwise not valid. It is moved
// aside, and the newest good version beside it takes its place, as a new version.
//
//	look     without the lock: a valid document is left as it is
//	lock
//	look     again, at the document and at what is beside it
//	stage    a copy of the version that is chosen. A link to its file would bring an old
//	         time back, and a program that writes in place would change both
//	aside    give the broken document a second name, and flush that
//	publish  as any version, if the document still is the one that was looked at
//	unlock
//	settle
//
// A process that dies after the step aside leaves the document as it was, with two names.
// Nothing is removed: not the file that was chosen either, which a sweep may take later.

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// RecoverOptions says what Recover does. Nil means the defaults.
type RecoverOptions struct {
	// DryRun changes nothing, and takes no lock.
	DryRun bool
	// From is what takes the document's place, even if that is valid: a kind (kept, history,
	// staged or guarded), of which the newest is taken, or the name or path of a file in the
	// document's directory. Default: the newest of all kinds, if the document is not valid.
	From string
}

// Recovered is what Recover found and did. With DryRun it is what it would do.
type Recovered struct {
	Path string // of the document's file, absolute, with symbolic links resolved
	// Problem is what was wrong with the document: ErrInvalid with the position, or
	// ErrNotExist. It is nil if the document was valid.
	Problem error
	// Before is the document's version by content, as it was found.
	Before Version
	// Taken is what took its place; nil if nothing did.
	Taken *Candidate
	// Aside is where the former document is now; empty if there was none. With DryRun it
	// may get another number.
	Aside string
	// Version is the document's version after that.
	Version Version
	// Candidates are the files that were looked at, the newest first.
	Candidates []Candidate
}

// Recover puts a good version in the place of a document that is empty or not valid JSON,
// or that is absent while a version of it is there. The broken document is moved aside, to
// NAME.invalid-<time> beside it, and is never removed. What takes its place is the newest
// valid version of those beside it: the one that Options.KeepLast has kept, those of its
// history (Doc.SetHistory), those that dead writers have staged and not published, and what
// a dead guard has displaced. It becomes a new version, with the access that both files had.
//
// A valid document is left as it is, unless From says what is to take its place; then the
// former one becomes NAME.replaced-<time>. If there is nothing to take, the error is
// ErrInvalid, or ErrNotExist for an absent document, and nothing was changed. Files that
// another user may have made in a sticky directory are not taken. It is ErrUnsupported
// where documents are not files.
//
// The linearization point is a rename under the document's lock, as of CompareAndSwap from
// the version that was found.
func (d *Doc) Recover(ctx context.Context, opts *RecoverOptions) (Recovered, error) {
	r := Recovered{}
	if opts == nil {
		opts = &RecoverOptions{}
	}
	files, err := d.onFiles()
	if err == nil {
		err = d.write(func() (err error) {
			r, err = files.restore(ctx, d.key, d.mode(), *opts)
			return err
		})
	}
	for i := range r.Candidates {
		r.Candidates[i].Path = d.absolute(r.Candidates[i].Path)
	}
	for _, path := range []*string{&r.Path, &r.Aside} {
		if *path != "" {
			*path = d.absolute(*path)
		}
	}
	switch {
	case r.Taken != nil && !opts.DryRun:
		return r, d.wrote("recover", err)
	case err != nil:
		return r, d.error("recover", err)
	}
	return r, nil
}

// maxRestores is how often a recovery begins again because the document changes.
const maxRestores = 10

func (d *fileDriver) restore(
	ctx context.Context, key string, mode VersionMode, opts RecoverOptions,
) (r Recovered, err error) {
	own := *d.opts
	own.KeepLast = false // the kept version stays
	d = d.with(&own)
	for tries := 1; ; tries++ {
		for _, locked := range [...]bool{false, true} {
			r, err = d.restoreOnce(ctx, key, mode, opts, locked)
			if err != nil || r.Taken == nil || opts.DryRun {
				break
			}
		}
		if tries == maxRestores || !errors.Is(err, ErrConflict) {
			return r, err
		}
	}
}

// restoreOnce looks at the document, and with the lock recovers it.
func (d *fileDriver) restoreOnce(
	ctx context.Context, key string, mode VersionMode, opts RecoverOptions, locked bool,
) (r Recovered, err error) {
	a := d.attempt(key, mode)
	a.restores = true
	defer a.Close()
	if locked {
		if err := a.lockOnce(ctx); err != nil {
			return r, err
		}
	}
	data, version, err := a.Read(ctx)
	if err != nil {
		return r, err
	}
	r.Path, r.Before, r.Version = a.path, Absent, version
	switch {
	case version.IsAbsent():
		r.Problem = ErrNotExist
	default:
		r.Before = hashVersion(data)
		r.Problem = contentProblem(data, d.opts.limits())
	}
	if r.Problem == nil && opts.From == "" {
		return r, nil
	}
	if err := d.choose(ctx, &r, a.current, opts.From); err != nil {
		return r, err
	}
	if bytes.Equal(r.Taken.data, data) { // and the document is valid
		r.Taken = nil
		return r, nil
	}
	if !version.IsAbsent() {
		r.Aside = a.asideName(&r, 0)
	}
	if !locked {
		return r, nil
	}
	err = a.restore(ctx, &r)
	if err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNotDurable) {
		r.Taken = nil
	}
	return r, err
}

// contentProblem is what is wrong with the content of a document.
func contentProblem(data []byte, limits splice.Limits) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("%w JSON: the document is empty", ErrInvalid)
	}
	if err := splice.Check(data, limits); err != nil {
		return fmt.Errorf("%w JSON: %w", ErrInvalid, err)
	}
	return nil
}

// choose sets what takes the document's place.
func (d *fileDriver) choose(
	ctx context.Context, r *Recovered, current *loaded, from string,
) (err error) {
	kind := CandidateKind(from)
	switch kind {
	case "", CandidateKept, CandidateHistory, CandidateStaged, CandidateGuarded:
	default:
		return d.chooseFile(r, current, from)
	}
	if r.Candidates, err = d.candidates(ctx, r.Path, current); err != nil {
		return err
	}
	at := slices.IndexFunc(r.Candidates, func(c Candidate) bool {
		return c.Problem == nil && (kind == "" || c.Kind == kind)
	})
	if at < 0 {
		return errNoCandidate(r, kind)
	}
	r.Taken = &r.Candidates[at]
	return nil
}

// chooseFile takes a file that the caller has named.
func (d *fileDriver) chooseFile(r *Recovered, current *loaded, from string) error {
	own := filepath.Dir(r.Path)
	if dir, name := filepath.Split(from); dir != "" || name == "." || name == ".." {
		var named fsys.Info
		dir, err := d.resolve(filepath.Clean(dir))
		if err == nil {
			named, err = d.files.Lstat(dir)
		}
		beside, ownErr := d.files.Lstat(own)
		if err != nil || ownErr != nil || !named.SameFile(beside) {
			return fmt.Errorf("%w: %s is neither a kind (kept, history, staged, guarded) nor a "+
				"file in the document's directory; copy it there first", ErrPath, from)
		}
		from = name
	}
	c, err := d.candidate(filepath.Join(own, from), r.Path, current)
	if err != nil {
		return fmt.Errorf("%s cannot take the document's place: %w", from, err)
	}
	r.Candidates = []Candidate{c}
	r.Taken = &r.Candidates[0]
	return nil
}

// errNoCandidate is the error if there is nothing to take.
func errNoCandidate(r *Recovered, kind CandidateKind) error {
	what := "no valid version of it is beside it"
	if kind != "" {
		what = fmt.Sprintf("no valid version of the kind %s is beside it", kind)
	}
	for _, c := range r.Candidates {
		if c.Problem != nil && (kind == "" || kind == c.Kind) {
			what += fmt.Sprintf("; %s: %v", filepath.Base(c.Path), c.Problem)
		}
	}
	if r.Problem == nil {
		return fmt.Errorf("%s; nothing was changed (%w)", what, ErrNotExist)
	}
	return fmt.Errorf("%w; %s; restore it from a copy; nothing was changed", r.Problem, what)
}

// asideName returns a name for the document that is moved aside.
func (a *attempt) asideName(r *Recovered, number uint32) string {
	reason := names.Replaced
	if r.Problem != nil {
		reason = names.Invalid
	}
	return names.Aside(a.path, reason, time.Unix(0, a.d.files.Now()), number)
}

// restore publishes what was chosen. The caller has read the document under the lock.
func (a *attempt) restore(ctx context.Context, r *Recovered) (err error) {
	if err := a.Stage(ctx, r.Taken.data); err != nil {
		return err
	}
	if err := a.narrow(r.Taken.rights); err != nil {
		return err
	}
	back := func() {}
	if r.Aside != "" {
		if back, err = a.moveAside(r); err != nil {
			r.Aside = ""
			return err
		}
	}
	if r.Version, err = a.Publish(ctx); err != nil {
		if !errors.Is(err, ErrUnknown) {
			back()
			r.Aside = ""
		}
		return err
	}
	return a.Settle()
}

// moveAside gives the document a second name, which is flushed unless the attempt is
// volatile. If files cannot have two names here, the document is renamed, and is absent
// until the publish. Back takes that back.
func (a *attempt) moveAside(r *Recovered) (back func(), err error) {
	files := a.d.files
	linked := false
	for number := uint32(1); ; number++ {
		linked = true
		err = files.Link(a.path, r.Aside)
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
			linked = false
			err = files.Rename(a.path, r.Aside, fsys.NoReplace)
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		if number > 100 {
			number = max(number, uint32(files.Random())) // somebody has taken the numbers
		}
		r.Aside = a.asideName(r, number)
	}
	if now, lstatErr := files.Lstat(r.Aside); lstatErr == nil && now.SameFile(a.current.info) {
		err = nil // it has happened
		a.current.info.Ctime, a.current.info.Links = now.Ctime, now.Links
	} else if err == nil {
		// Another program has replaced the document in the last moment.
		err = a.conflict(Absent)
	}
	aside := r.Aside
	back = func() {
		if !linked {
			_ = files.Rename(aside, a.path, fsys.NoReplace)
			return
		}
		second, err := files.Lstat(aside)
		if err != nil {
			return
		}
		if named, err := files.Lstat(a.path); err == nil && named.SameFile(second) {
			_ = files.Remove(aside)
		}
	}
	if err == nil && a.d.opts.Durability != Volatile {
		err = fsys.SyncDir(files, filepath.Dir(a.path))
	}
	if err != nil {
		back()
		return nil, fmt.Errorf("move the document aside: %w", err)
	}
	if !linked {
		a.current.close()
		a.current = &loaded{}
	}
	return back, nil
}
