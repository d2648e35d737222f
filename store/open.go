// Opening a store: a directory, one file, or another engine.

package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// Open opens the documents beneath a directory, which must exist: the key "users/alice"
// is the file users/alice.json in it. No key and no symbolic link leads out of it. Keys
// are parts separated by slashes; a part may not be empty, begin with a dot, be longer
// than 200 bytes or contain what some system does not allow in a file name.
func Open(dir string, opts *Options) (*DB, error) {
	files, err := fsys.Beneath(dir)
	if err != nil {
		return nil, &Error{"open", dir, err}
	}
	db, err := openFiles(files, "", ".", opts)
	if err == nil {
		db.where, err = whereIs(dir)
	}
	if err != nil {
		files.Close()
		return nil, &Error{"open", dir, err}
	}
	return db, nil
}

// whereIs returns the absolute path of a directory, with links resolved.
func whereIs(dir string) (string, error) {
	abs, err := absolute(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// absolute is filepath.Abs. A missing working directory does not mean a missing
// document: the error is not fs.ErrNotExist.
func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("the working directory is not there any longer (%v); "+
			"go to another one, or give an absolute path", err)
	}
	return abs, nil
}

// OpenFile opens one document. Its directory must exist; the document need not. Each
// operation follows symbolic links to the document and on its path. Links stay links:
// if a target does not exist, the document is absent, and is created at the target.
// Share the handle between all goroutines of a program, and close it.
func OpenFile(path string, opts *Options) (*Doc, error) {
	db, key, err := openFile(path, opts)
	if err != nil {
		return nil, &Error{"open", path, err}
	}
	return &Doc{db: db, drv: db.drv, opts: db.opts, key: key, name: path, owns: true}, nil
}

func openFile(path string, opts *Options) (*DB, string, error) {
	// A program may change its working directory; the document stays.
	abs, err := absolute(path)
	if err != nil {
		return nil, "", err
	}
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, string(os.PathSeparator)) ||
		path == "" {
		return nil, "", errors.New("is no file name; name the document's file")
	}
	given := abs
	abs, err = followLinks(abs)
	if err != nil {
		return nil, "", err
	}
	if err := checkDocumentName(abs); err != nil {
		return nil, "", err
	}
	files, name, err := fsys.ForFile(abs)
	if errors.Is(err, ErrNotExist) {
		err = errNoDirectory(abs, err)
	}
	if err != nil {
		return nil, "", err
	}
	if opts, err = locatesLock(opts, abs, name); err != nil {
		files.Close()
		return nil, "", err
	}
	db, err := openFiles(files, name, filepath.Dir(name), opts)
	if err != nil {
		files.Close()
		return nil, "", err
	}
	db.where, db.single = abs, true
	if name == abs && (abs != given || !db.drv.files.shared.hasHome) {
		db.drv.files.linked = given // also if a link's target does not exist yet
	}
	return db, name, nil
}

// followLinks resolves the symbolic links on path and at its end, so that the document
// and the files that an operation creates beside it stay together if the links change
// meanwhile.
func followLinks(path string) (string, error) {
	files := fsys.New()
	for range maxLinks {
		// The directory first: ".." in a link starts from the link's real directory.
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(dir, filepath.Base(path))
		}
		info, err := files.Lstat(path)
		if err != nil || info.Mode&os.ModeSymlink == 0 {
			return path, nil // the first use reports other errors
		}
		link := path
		if path, err = followLink(files, link); err != nil {
			return "", err
		}
		if _, err := files.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			if there, err := os.Stat(link); err == nil { // such as a pipe in /dev/fd
				return "", cmp.Or(checkRegular(fsys.Info{Mode: there.Mode()}), errNoPath(link))
			}
		}
	}
	return "", errors.New("too many symbolic links")
}

// errNoPath is the error for a link of /proc to a removed file.
func errNoPath(link string) error {
	return fmt.Errorf("%s leads to a file that has no name any longer", link)
}

// openFiles creates the store on the file driver, for documents in dir.
func openFiles(files fsys.FS, single, dir string, opts *Options) (*DB, error) {
	full, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if full.LockPath != "" && single == "" {
		return nil, errors.New("LockPath is for one document; open it with OpenFile")
	}
	remote, err := checkNetwork(files, dir, &full)
	if err != nil {
		return nil, err
	}
	stats := &counters{}
	drv, err := newFileDriver(files, single, &full, stats)
	if err != nil {
		return nil, err
	}
	drv.shared.locks.remote.Store(remote)
	if info, err := files.Lstat(dir); err == nil && info.Mode.IsDir() {
		drv.shared.home, drv.shared.hasHome = info.Dev, true
	}
	return newDB(drv, &full, stats), nil
}

// checkNetwork reports whether a directory is on a file system that is not known to be
// local, which is an error unless the options allow it. A missing directory cannot be
// checked; the first write reports it.
func checkNetwork(files fsys.FS, dir string, opts *Options) (remote bool, err error) {
	network, err := files.Network(dir)
	remote = err == nil && network != ""
	if remote && !opts.AllowNetwork {
		return remote, fmt.Errorf("%w: it is on a network file system, or one that is not "+
			"known to be local (%s), "+
			"where locks and replacement have not been proved; allow it with AllowNetwork at "+
			"your own risk, "+
			"or use a local directory", ErrUnsupported, network)
	}
	return remote, nil
}

// New opens the documents of an engine. Durability and the options for files do not
// apply. Locking and LockWait are about the engine's own lock, if it has one
// (driver.Attempter); LockWait is also about other goroutines. Closing the DB closes
// the driver.
func New(drv driver.Driver, opts *Options) (*DB, error) {
	full, err := opts.withDefaults()
	if err != nil {
		return nil, &Error{"open", drv.Caps().Name, err}
	}
	return newDB(drv, &full, &counters{}), nil
}

func newDB(drv driver.Driver, opts *Options, stats *counters) *DB {
	engine := newEngine(drv)
	return &DB{drv: engine, opts: opts, stats: stats, lines: newLines(engine),
		ending: make(chan struct{})}
}
