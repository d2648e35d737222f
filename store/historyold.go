// The names of kept versions, and the removal of those that are too old.
//
// Nobody lists the directory at each write to find them. A handle remembers the versions that
// it has kept, and removes the oldest of these when there are too many. It lists the
// directory once, when it has written some times; and when others have written about as many
// versions as are kept. Who writes once, as the command does, lists it once in a while.

package store

import (
	"cmp"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	// listAfter is the number of versions that a handle keeps before it looks for those
	// that were kept before.
	listAfter = 16
	// listEvery is the least number of versions of others before it looks again. Of those
	// who write less, one in so many looks.
	listEvery = 64
	// maxOldest is how many names a handle remembers of a document.
	maxOldest = 1 << 14
)

// kept counts a version that was displaced, and removes what is too old. The lock is not
// needed for that. New is the file of the new version, if any.
func (a *attempt) kept(new *fsys.Info) {
	opts := a.past.opts
	switch {
	case opts == nil:
		return
	case a.past.entry == "":
		a.d.shared.stats.unkept.Add(1)
		return
	case opts.Keep == 0 && opts.Age == 0:
		return
	}
	oldest, list := a.d.shared.pasts.add(a, new)
	if list {
		if all, err := a.d.entries(a.path); err == nil {
			// Later versions than this writer's may have been kept by other limits.
			known := make([]string, 0, len(all))
			for _, e := range all {
				if e.Key <= a.past.key {
					known = append(known, e.path)
				}
			}
			oldest = append(oldest, a.d.shared.pasts.know(a, known)...)
		}
	}
	for _, name := range oldest {
		_ = a.d.files.Remove(name)
	}
}

// pasts are the versions that a handle knows to be kept, by the path of the document.
type pasts struct {
	mu     sync.Mutex
	byPath map[string]*pastOf
}

type pastOf struct {
	known   []string  // the oldest first
	made    int       // versions that this handle has kept
	others  int       // versions of others that it has displaced
	dropped int       // names that were too many to remember
	last    fsys.Info // the file that it has published last
}

// add adds the version that was displaced, and returns those that are to be removed. List
// says that the directory is to be listed.
func (p *pasts) add(a *attempt, new *fsys.Info) (oldest []string, list bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.byPath[a.path]
	if of == nil {
		if p.byPath == nil || len(p.byPath) >= maxRows {
			p.byPath = map[string]*pastOf{}
		}
		of = &pastOf{}
		p.byPath[a.path] = of
	}
	if !of.last.SameFile(a.current.info) || of.last.Mtime != a.current.info.Mtime {
		of.others++
	}
	of.last = fsys.Info{}
	if new != nil {
		of.last = *new
	}
	of.made++
	if of.known = append(of.known, a.past.entry); len(of.known) > maxOldest {
		of.dropped += len(of.known) / 2
		of.known = slices.Clone(of.known[len(of.known)/2:])
	}
	most := max(listEvery, a.past.opts.Keep/4)
	list = of.made == listAfter || of.others >= most || of.dropped >= maxOldest/2 ||
		of.made < listAfter && a.d.files.Random()%listEvery == 0
	if list {
		of.others, of.dropped = 0, 0
	}
	return of.shift(a, a.past.opts.Keep), list
}

// know replaces what is known by a listing. One name more is left alone than versions are
// kept: it may be one of the document.
func (p *pasts) know(a *attempt, all []string) (oldest []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.byPath[a.path]
	if of == nil {
		return nil
	}
	for _, name := range of.known { // those that this handle has kept since
		e, _ := names.HistoryOf(filepath.Base(a.path), filepath.Base(name))
		if e.Key > a.past.key {
			all = append(all, name)
		}
	}
	of.known = all
	keep := a.past.opts.Keep
	if keep > 0 {
		keep++
	}
	return of.shift(a, keep)
}

// shift takes the names off that are too many, or too old.
func (of *pastOf) shift(a *attempt, keep int) (oldest []string) {
	many := 0
	if keep > 0 {
		many = max(0, len(of.known)-keep)
	}
	base := filepath.Base(a.path)
	for age := a.past.opts.Age; age > 0 && many < len(of.known); many++ {
		e, _ := names.HistoryOf(base, filepath.Base(of.known[many]))
		if int64(e.Key) > a.d.files.Now()-int64(age) {
			break
		}
	}
	oldest = of.known[:many:many] // which nothing overwrites
	of.known = of.known[many:]
	return oldest
}

// entry is a kept version by its name.
type entry struct {
	names.Entry
	path string
}

// entries returns the kept versions of the document at path, the oldest first. What another
// user may have made is not among them. It lists the directory.
func (d *fileDriver) entries(path string) (all []entry, err error) {
	dir, base := filepath.Split(path)
	if dir = filepath.Clean(dir); dir == "" {
		dir = "."
	}
	found, err := d.files.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if e, ok := names.HistoryOf(base, f.Name); ok && f.Type.IsRegular() {
			all = append(all, entry{e, filepath.Join(dir, f.Name)})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), strings.Compare(a.path, b.path))
	})
	if info, err := d.files.Lstat(dir); err != nil || info.Mode&fs.ModeSticky == 0 {
		return all, err
	}
	all = slices.DeleteFunc(all, func(e entry) bool {
		info, lstatErr := d.files.Lstat(e.path)
		if lstatErr != nil {
			return true
		}
		ok, believesErr := d.believesEntry(path, info)
		err = cmp.Or(err, believesErr)
		return !ok
	})
	return all, err
}

// believesEntry is believes for a kept version, which may still be the document itself, or
// have the temporary name that it had when it was displaced.
func (d *fileDriver) believesEntry(path string, found fsys.Info) (bool, error) {
	if document, err := d.files.Lstat(path); err == nil && document.SameFile(found) {
		return true, nil
	}
	return d.believes(path, found, 0)
}

// removeOld removes what is beyond the limits of the document's history, for a sweep.
func (d *fileDriver) removeOld(path string) (removed []string, err error) {
	opts, err := d.history(path)
	if err != nil || opts == nil || opts.Keep == 0 && opts.Age == 0 {
		return nil, err
	}
	all, err := d.entries(path)
	if err != nil {
		return nil, err
	}
	of := pastOf{}
	for _, e := range all {
		of.known = append(of.known, e.path)
	}
	keep := opts.Keep
	if keep > 0 {
		keep++
	}
	a := &attempt{d: d, path: path, past: past{opts: opts}}
	for _, name := range of.shift(a, keep) {
		if removeErr := d.files.Remove(name); removeErr == nil {
			removed = append(removed, filepath.Base(name))
		}
	}
	return removed, nil
}
