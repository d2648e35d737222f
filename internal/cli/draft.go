// The draft of the verb edit: where it lies, and what is kept beside it.
//
// Each draft has a directory of its own, which only the user may enter, in the user's state
// directory: not beside the document, where programs may read every file, others may have
// access, and the disk may be full. Editors put their own files there too. The directory
// has
//
//	NAME                 the draft, with the name of the document
//	.jsonstore-base      the content that the draft was made from; empty if there was none
//	.jsonstore-document  the absolute path of the document
//	.jsonstore-lock      locked while the draft is being edited

package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

const (
	draftBase     = ".jsonstore-base"
	draftDocument = ".jsonstore-document"
	draftLock     = ".jsonstore-lock"
)

// errNoDraft: an editor, or somebody else, has removed the draft.
var errNoDraft = errors.New("the draft is no longer there")

type draft struct {
	path string // of the draft
	base []byte // nil if the document was absent
	lock fsys.File
}

// draftsDir is the directory of all drafts of this user.
func draftsDir() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the specification says to ignore it then
		home, err := os.UserHomeDir()
		state = filepath.Join(home, ".local", "state")
		if runtime.GOOS == "windows" {
			home, err = os.UserCacheDir()
			state = home
		}
		if err != nil || !filepath.IsAbs(home) {
			return "", errors.New("there is no directory for the draft: set HOME or " +
				"XDG_STATE_HOME to an absolute path")
		}
	}
	return filepath.Join(state, "jsonstore", "drafts"), nil
}

// documentPath is the path by which drafts name a document: without links, whether the
// document exists or not.
func documentPath(file string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	for range 40 { // links to nothing, one after the other
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			return resolved, nil
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			break
		}
		path = filepath.Join(dir, filepath.Base(path))
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	return path, nil
}

// draftName is the name of the drafts of a document: that of the document, unless a file
// beside the draft may have it.
func draftName(document string) string {
	name := filepath.Base(document)
	if strings.HasPrefix(name, ".jsonstore-") {
		return "draft" + name
	}
	return name
}

// newDraft makes a draft of a document.
func newDraft(document string, content, base []byte) (*draft, error) {
	parent, err := draftsDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	name := draftName(document)
	// Half a character at the end would not be a name on each file system.
	short := strings.ToValidUTF8(name[:min(len(name), 100)], "")
	dir, err := os.MkdirTemp(parent, strings.ReplaceAll(short, "*", "_")+".*")
	if err != nil {
		return nil, err
	}
	d := &draft{path: filepath.Join(dir, name)}
	if err = d.hold(); err == nil {
		err = replaceFile(filepath.Join(dir, draftDocument), []byte(document), 0o600)
	}
	if err == nil {
		err = d.write(content, base)
	}
	if err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return d, nil
}

// openDraft opens a draft that an earlier edit of the document has left.
func openDraft(path, document string) (*draft, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	of, err := os.ReadFile(filepath.Join(filepath.Dir(path), draftDocument))
	if err != nil {
		return nil, usage("--resume %s: that is no draft of jsonstore edit", path)
	}
	if string(of) != document {
		return nil, usage("--resume %s: that is a draft of %s", path, of)
	}
	d := &draft{path: path}
	if d.base, err = os.ReadFile(filepath.Join(filepath.Dir(path), draftBase)); err != nil {
		return nil, fmt.Errorf("the draft is not whole: %w", err)
	}
	return d, d.hold()
}

// hold takes the draft's lock.
func (d *draft) hold() error {
	files := fsys.New()
	lock, err := files.Open(filepath.Join(filepath.Dir(d.path), draftLock), fsys.OpenLock, 0o600)
	if err != nil {
		return err
	}
	// Where the file system has no locks, the draft is not protected from a second edit.
	if locked, err := lock.TryLock(); err == nil && !locked {
		return errors.Join(fmt.Errorf("%w: the draft %s is being edited by another process",
			store.ErrLocked, d.path), lock.Close())
	}
	d.lock = lock
	return nil
}

// write replaces the draft and its base. The draft comes first: with the old base, a new
// draft is merged as with the new one, but an old draft with a new base would take back
// what others have changed.
func (d *draft) write(content, base []byte) error {
	if err := replaceFile(d.path, content, 0o600); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(filepath.Dir(d.path), draftBase), base, 0o600); err != nil {
		return err
	}
	d.base = base
	return nil
}

// read returns the draft, of at most limit bytes.
func (d *draft) read(limit int64) ([]byte, error) {
	file, err := os.Open(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoDraft
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: the draft has more than %d bytes; raise the limit with --max-size",
			store.ErrTooLarge, limit)
	}
	return data, err
}

// isAlone reports whether no editor has left files beside the draft, such as one with
// changes that were not saved.
func (d *draft) isAlone() bool {
	entries, err := os.ReadDir(filepath.Dir(d.path))
	for _, entry := range entries {
		switch entry.Name() {
		case filepath.Base(d.path), draftBase, draftDocument, draftLock:
		default:
			return false
		}
	}
	return err == nil
}

func (d *draft) close() {
	if d.lock != nil {
		_ = d.lock.Close()
		d.lock = nil
	}
}

// remove removes the draft and all that is beside it.
func (d *draft) remove() error {
	d.close()
	return os.RemoveAll(filepath.Dir(d.path))
}

// leftDrafts returns the drafts of a document that nobody is editing.
func leftDrafts(document string) (paths []string) {
	parent, err := draftsDir()
	if err != nil {
		return nil
	}
	dirs, _ := os.ReadDir(parent)
	for _, dir := range dirs {
		at := filepath.Join(parent, dir.Name())
		of, err := os.ReadFile(filepath.Join(at, draftDocument))
		if err != nil || string(of) != document {
			continue
		}
		d := &draft{path: filepath.Join(at, draftName(document))}
		if _, err := os.Lstat(d.path); err == nil && d.hold() == nil {
			d.close()
			paths = append(paths, d.path)
		}
	}
	return paths
}

// replaceFile replaces a file of this process, or makes it, whole or not at all.
func replaceFile(path string, data []byte, perm os.FileMode) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".jsonstore-*.new") // with the mode 0600
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil {
		perm = info.Mode().Perm()
	}
	_, err = file.Write(data)
	if err == nil && perm != 0o600 && runtime.GOOS != "windows" {
		err = file.Chmod(perm)
	}
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	// It is there; that its name also survives a power cut is as good as the system lets it.
	_ = fsys.SyncDir(fsys.New(), dir)
	return nil
}
