// Which names the system has to watch for documents in files: those on the way to them that
// may lead elsewhere one day. A link may be replaced by another one, as Kubernetes does with
// ..data; a directory may be removed and made again.

package store

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/notify"
)

// maxAims is how often the names are looked for again while they change.
const maxAims = 8

var errRestless = errors.New("the directories keep changing while they are looked at")

// listen listens to the names that find returns, and looks for them again until all of them
// were listened to before they were found.
func listen(l *notify.Listener, find func() ([]notify.Name, error)) error {
	for range maxAims {
		found, err := find()
		if err != nil {
			return err
		}
		more, err := l.Set(found)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, notify.ErrMoved):
		case err != nil || !more:
			return err
		}
	}
	return errRestless
}

// route returns the names that decide what a path leads to: each link on it, and its end, or
// the first component that does not exist; and the name of the directory of each. While a
// program has that open, such as a shell, its removal is told by its name alone.
func route(path string) (found []notify.Name, err error) {
	files := fsys.New()
	add := func(dir, base string, info fsys.Info) {
		found = append(found, notify.Name{Dir: dir, Base: base, Info: info})
		up := filepath.Dir(dir)
		if info, err := files.Lstat(up); err == nil && up != dir {
			found = append(found,
				notify.Name{Dir: up, Base: filepath.Base(dir), Info: info, Aid: true})
		}
	}
	root := filepath.VolumeName(path) + string(filepath.Separator)
	at, rest := root, path[len(root)-1:]
	in, err := files.Lstat(at)
	if err != nil {
		return nil, err
	}
	for links := 0; ; {
		var part string
		part, rest, _ = strings.Cut(strings.Trim(rest, string(filepath.Separator)),
			string(filepath.Separator))
		next, dir := filepath.Join(at, part), at
		if part == ".." {
			next = filepath.Dir(at)
		}
		info, err := files.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			add(dir, part, in)
			return found, nil
		case err != nil:
			return nil, err
		case info.Mode&fs.ModeSymlink != 0:
			add(dir, part, in)
			target, err := files.Readlink(next)
			if links++; links > maxLinks || errors.Is(err, fs.ErrNotExist) {
				return found, nil
			}
			if err != nil {
				return nil, err
			}
			if filepath.IsAbs(target) {
				at, target = root, target[len(filepath.VolumeName(target)):]
				if in, err = files.Lstat(at); err != nil {
					return nil, err
				}
			}
			rest = target + string(filepath.Separator) + rest
		case info.Mode.IsDir() && rest != "":
			at, in = next, info
		default:
			add(dir, part, in)
			return found, nil
		}
	}
}

// pathHints are the hints for one document.
type pathHints struct {
	key, path string
	listener  *notify.Listener
}

func (h *pathHints) aim() error {
	return listen(h.listener, func() ([]notify.Name, error) { return route(h.path) })
}

func (h *pathHints) documents([]string) hinted {
	// The name may be a link by now. If it cannot be listened to, a full look says so.
	if err := h.aim(); err != nil {
		return hinted{all: true}
	}
	return hinted{keys: []string{h.key}}
}

func (h *pathHints) close() { h.listener.Close() }

// treeHints are the hints for all documents of a watch beneath a directory.
type treeHints struct {
	w        *watch
	d        *fileDriver
	root     string
	listener *notify.Listener
	dirs     map[string]bool     // that are listened to, by path
	links    map[string][]string // the keys of linked documents, by the names on their way
}

// changed is called by the hub.
func (h *treeHints) changed(dir, name string) {
	switch _, own := names.Own(name); {
	case own:
	case dir == "":
		h.w.pending.note("")
	default:
		h.w.pending.note(filepath.Join(dir, name))
	}
}

func (h *treeHints) aim() error {
	return listen(h.listener, func() ([]notify.Name, error) {
		h.dirs, h.links = map[string]bool{}, map[string][]string{}
		found, err := route(h.root)
		if err != nil {
			return nil, err
		}
		return h.find(found, ".")
	})
}

// find appends the names for a directory, and those for all beneath it.
func (h *treeHints) find(found []notify.Name, dir string) ([]notify.Name, error) {
	path := filepath.Join(h.root, dir)
	entries, err := h.d.files.ReadDir(dir)
	var info fsys.Info
	if err == nil {
		info, err = fsys.New().Lstat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil // its parent has told
	}
	if err != nil {
		return nil, err
	}
	h.dirs[path] = true
	found = append(found, notify.Name{Dir: path, Info: info})
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name)
		key, isDocument := strings.CutSuffix(filepath.ToSlash(name), keySuffix)
		switch {
		case strings.HasPrefix(entry.Name, "."):
		case entry.Type.IsDir() && h.leads(name):
			if found, err = h.find(found, name); err != nil {
				return nil, err
			}
		case entry.Type&fs.ModeSymlink != 0 && isDocument && strings.HasPrefix(key, h.w.prefix):
			if way, err := h.way(key); err == nil { // the document is read all the same
				found = append(found, way...)
			}
		}
	}
	return found, nil
}

// way returns the names on the way to a linked document that are not covered by a directory.
func (h *treeHints) way(key string) (found []notify.Name, err error) {
	way, err := route(filepath.Join(h.root, filepath.FromSlash(key)+keySuffix))
	for _, at := range way {
		path := filepath.Join(at.Dir, at.Base)
		if !slices.Contains(h.links[path], key) {
			h.links[path] = append(h.links[path], key)
		}
		if !h.dirs[at.Dir] {
			found = append(found, at)
		}
	}
	return found, err
}

// leads reports whether a directory may have documents of the watch.
func (h *treeHints) leads(dir string) bool {
	dir = filepath.ToSlash(dir) + "/"
	return strings.HasPrefix(dir, h.w.prefix) || strings.HasPrefix(h.w.prefix, dir)
}

func (h *treeHints) documents(paths []string) (found hinted) {
	for _, path := range paths {
		name, err := filepath.Rel(h.root, path)
		if err != nil || name == "." {
			return hinted{all: true} // the root itself
		}
		for _, key := range h.links[path] {
			if !h.listens(func() ([]notify.Name, error) { return h.way(key) }) {
				return hinted{all: true}
			}
			found.keys = append(found.keys, key)
		}
		if strings.HasPrefix(name, "..") {
			continue // a neighbour of a link's target
		}
		key, isDocument := strings.CutSuffix(filepath.ToSlash(name), keySuffix)
		isDocument = isDocument && strings.HasPrefix(key, h.w.prefix) && checkKey(key) == nil
		if isDocument {
			found.keys = append(found.keys, key)
		}
		info, err := h.d.files.Lstat(name)
		more := func() ([]notify.Name, error) { return nil, nil }
		switch {
		case err == nil && info.Mode&fs.ModeSymlink != 0 && isDocument:
			more = func() ([]notify.Name, error) { return h.way(key) }
		case err == nil && info.Mode.IsDir() && h.leads(name):
			more = func() ([]notify.Name, error) { return h.find(nil, name) }
			fallthrough
		case h.dirs[path]:
			found.beneath = append(found.beneath, filepath.ToSlash(name)+"/")
		}
		if !h.listens(more) {
			return hinted{all: true}
		}
	}
	return found
}

// listens listens to the names that find returns too, and reports whether it listened to all of
// them before they were found.
func (h *treeHints) listens(find func() ([]notify.Name, error)) bool {
	for range maxAims {
		found, err := find()
		more := false
		for i := 0; err == nil && i < len(found); i++ {
			var added bool
			added, err = h.listener.Add(found[i])
			more = more || added
		}
		if err != nil || !more {
			return err == nil
		}
	}
	return false
}

func (h *treeHints) close() { h.listener.Close() }
