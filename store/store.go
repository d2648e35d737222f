// DB and Doc: how documents are opened, read, swapped and deleted.

package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// A Version identifies one state of one document; compare versions with ==. See package driver.
type Version = driver.Version

// Absent is the version of a document that is not there.
var Absent = driver.Absent

// ParseVersion reads what Version.String printed. The error is ErrVersion.
func ParseVersion(text string) (Version, error) { return driver.ParseVersion(text) }

// A DB is a set of documents, each under a key. Its methods may be called concurrently,
// from any number of goroutines, processes and programs.
type DB struct {
	drv   *engine
	opts  *Options
	lines *lines
	stats *counters

	closed atomic.Bool

	where  string // the directory, or the one file; empty where documents are no files
	single bool
}

// Open opens the documents beneath a directory, which must exist: the key "users/alice" is
// the file users/alice.json there. No key and no symbolic link leads out of it. Keys
// are parts separated by slashes; a part may not be empty, begin with a dot, be longer than
// 200 bytes or contain what some system does not allow in a file name.
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

// whereIs is the absolute path of a directory, links followed.
func whereIs(dir string) (string, error) {
	abs, err := absolute(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// absolute is filepath.Abs. That there is no working directory does not mean that there is no
// document: the error is not fs.ErrNotExist.
func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("the working directory is not there any longer (%v); "+
			"go to another one, or give an absolute path", err)
	}
	return abs, nil
}

// OpenFile opens one document, which need not exist, though its directory must. Symbolic
// links, to it and on the way to it, are followed by each operation, and stay links: where
// one leads to nothing, the document is absent, and is made there. The handle is to be
// shared by all goroutines of a program, and to be closed.
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
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, string(os.PathSeparator)) || path == "" {
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
	if name == given || name != abs {
		return db, name, nil
	}
	db.drv.files.linked = given
	return db, name, nil
}

// followLinks follows the symbolic links on the way to path and at its end, so that the
// document and what an operation makes beside it stay together whatever becomes of the links
// meanwhile.
func followLinks(path string) (string, error) {
	files := fsys.New()
	for range maxLinks {
		// Of the directory first: "..", in a link, goes up from where the link really is.
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(dir, filepath.Base(path))
		}
		info, err := files.Lstat(path)
		if err != nil || info.Mode&os.ModeSymlink == 0 {
			return path, nil // what else is wrong with it will be told when it is used
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

// errNoPath is the error for a link of /proc to a file that is removed.
func errNoPath(link string) error {
	return fmt.Errorf("%s leads to a file that has no name any longer", link)
}

// openFiles makes the store on the file driver, for documents in dir.
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
	return newDB(drv, &full, stats), nil
}

// checkNetwork reports whether a directory is on a file system that is not known to be
// local, which is an error unless the options allow it. A directory that is not there
// cannot be asked; the first write says so.
func checkNetwork(files fsys.FS, dir string, opts *Options) (remote bool, err error) {
	network, err := files.Network(dir)
	remote = err == nil && network != ""
	if remote && !opts.AllowNetwork {
		return remote, fmt.Errorf("%w: it is on a network file system, or one that is not known to be local (%s), "+
			"where locks and replacement have not been proved; allow it with AllowNetwork at your own risk, "+
			"or use a local directory", ErrUnsupported, network)
	}
	return remote, nil
}

// New opens the documents that an engine keeps. Of opts, what concerns files does not apply, nor
// does Durability; Locking and LockWait are about the engine's own lock, if it has one
// (driver.Attempter), LockWait also about other goroutines. Closing the DB closes the driver.
func New(drv driver.Driver, opts *Options) (*DB, error) {
	full, err := opts.withDefaults()
	if err != nil {
		return nil, &Error{"open", drv.Caps().Name, err}
	}
	return newDB(drv, &full, &counters{}), nil
}

func newDB(drv driver.Driver, opts *Options, stats *counters) *DB {
	engine := newEngine(drv)
	return &DB{drv: engine, opts: opts, stats: stats, lines: newLines(engine)}
}

// Doc returns a handle on the document with a key, whether it exists or not. A key that
// cannot be used is ErrKey when the document is. The handle need not be closed.
func (db *DB) Doc(key string) *Doc {
	return &Doc{db: db, drv: db.drv, opts: db.opts, key: key, name: key, keyErr: checkKey(key)}
}

// Keys iterates over the keys that begin with prefix, in byte order, each once. It is no
// snapshot: a document that exists from the first to the last step of the loop is listed;
// one that is created or deleted meanwhile may be. The body of the loop may use the DB in every
// way. An error ends the loop.
//
// On files, each directory is read once, when the loop reaches its first key, and no directory
// is read whose keys cannot begin with prefix. The cost is linear in the number of files in
// these directories, and memory holds the names of one directory and of those above it. A
// symbolic link to a document is listed, one to a directory is not followed. Btrfs can leave a
// name out that is replaced while its directory is read: there the rule above holds for
// documents that have their lock file, which is those that the store has written before.
func (db *DB) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range db.drv.List(ctx, prefix) {
			if err != nil {
				yield("", &Error{"list", db.listed(prefix), err})
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

// listed names the keys with a prefix in messages.
func (db *DB) listed(prefix string) string {
	switch {
	case prefix != "":
		return prefix
	case db.where != "":
		return db.where
	}
	return db.drv.Caps().Name
}

// Stats returns what was done through this handle and those that it gave out.
func (db *DB) Stats() Stats { return db.stats.stats() }

// Close frees what the handle holds. Calls that are under way may still end well; later
// ones are ErrClosed.
func (db *DB) Close() error {
	db.closed.Store(true)
	return db.drv.Close()
}

// A Doc is a handle on one document: one JSON value. Its methods may be called
// concurrently. Byte slices that it hands out must not be changed.
type Doc struct {
	db     *DB
	drv    *engine
	opts   *Options
	key    string // as the driver knows it
	name   string // as the user knows it
	keyErr error  // what is wrong with the key
	owns   bool   // Close closes db

	expect *Version // that the document must have for an update; nil if any will do
}

// Name returns the document's name in messages: the path that was opened, or its key.
func (d *Doc) Name() string { return d.name }

// With returns a handle on the same document that differs in options: change gets a
// copy of them. What is about the files themselves (Versions, Perm, AllowNetwork, LockPath)
// does not change. The handle shares everything else with d, and ends with it.
func (d *Doc) With(change func(*Options)) (*Doc, error) {
	opts := *d.opts
	change(&opts)
	opts.Versions, opts.Perm = d.opts.Versions, d.opts.Perm
	opts.AllowNetwork, opts.LockPath = d.opts.AllowNetwork, d.opts.LockPath
	full, err := opts.withDefaults()
	if err != nil {
		return nil, &Error{"open", d.name, err}
	}
	other := *d
	other.opts, other.owns = &full, false
	if files := d.drv.files; files != nil {
		other.drv = newEngine(files.with(&full))
	}
	return &other, nil
}

// Stats returns what was done through the handle that d came from: OpenFile's own, or the DB.
func (d *Doc) Stats() Stats { return d.db.stats.stats() }

// Close frees what a handle from OpenFile holds; others need no closing.
func (d *Doc) Close() error {
	if !d.owns {
		return nil
	}
	return d.db.Close()
}

func (d *Doc) error(op string, err error) error { return &Error{op, d.name, d.namesOwner(err)} }

// Read returns the document and its version. It takes no lock and never waits for a
// writer: it sees one whole version, the newest when it was opened. An absent document is
// ErrNotExist and has the version Absent. One that is not valid JSON is ErrInvalid; its
// bytes and version are returned all the same, for repair by CompareAndSwap.
//
// A handle keeps what it has read. While the file's inode, size, mode and times stay, which one system call tells, Read returns that again,
// unless the file was younger than 100 milliseconds when it was read: a change might not show in its times then. (2 seconds, where
// times are coarse; on file systems where not each change shows, such as FAT, nothing is kept.) A write through a memory mapping
// that has written to the page before does not show in the times, not even after msync: such a program has to set the
// file's time afterwards, as touch does, or to replace the file. The bytes are
// shared with other callers and must not be changed.
func (d *Doc) Read(ctx context.Context) ([]byte, Version, error) {
	s, err := d.read(ctx)
	if err != nil {
		return s.data, s.version, d.error("read", err)
	}
	return s.data, s.version, nil
}

// checkContent checks what is in the document.
func (d *Doc) checkContent(data []byte) error {
	err := splice.Check(data, d.opts.limits())
	if err == nil {
		return nil
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return d.errEmpty()
	}
	return fmt.Errorf("%w JSON: %w; repair it, or restore it from a copy", ErrInvalid, err)
}

// errEmpty is the error for a document without content, which is what a power cut leaves
// behind writers that flush nothing.
func (d *Doc) errEmpty() error {
	const startOver = "to start over, delete the document"
	if files := d.drv.files; files != nil {
		if orphans := files.orphans(d.key); len(orphans) > 0 {
			return fmt.Errorf("%w JSON: the document is empty; its content may be in %s beside it; %s",
				ErrInvalid, strings.Join(orphans, " or "), "else, "+startOver)
		}
	}
	return fmt.Errorf("%w JSON: the document is empty; restore it from a copy, or, %s",
		ErrInvalid, startOver)
}

// checkNew checks what is to become the document.
func (d *Doc) checkNew(data []byte) error {
	limit := d.opts.MaxSize
	if engine := d.drv.Caps().MaxSize; engine > 0 && engine < limit {
		limit = engine
	}
	if int64(len(data)) > limit {
		return errTooLarge(int64(len(data)), limit)
	}
	if err := splice.Check(data, d.opts.limits()); err != nil {
		return fmt.Errorf("the new content is %w JSON: %w; the document was left as it was", ErrInvalid, err)
	}
	return nil
}

// CompareAndSwap replaces the document with data if its version is old, and returns the
// new version. With Absent it creates the document, and is ErrExist if it is there. If the version is
// another one, the error is a *ConflictError and nothing was changed.
//
// On files the linearization point is a rename under the document's lock. A crash before it leaves the
// old version, after it the new one. When it returns without error the
// change is as durable as Options.Durability says. ErrNotDurable comes with the new version.
func (d *Doc) CompareAndSwap(ctx context.Context, old Version, data []byte) (Version, error) {
	version := Absent
	err := d.write(func() (err error) {
		if err = d.checkNew(data); err == nil {
			version, err = d.drv.Swap(ctx, d.key, old, data)
		}
		return err
	})
	if err := d.wrote("swap", err); err != nil {
		return version, err
	}
	return version, nil
}

// CompareAndDelete deletes the document if its version is old. Otherwise, as for a document
// that is absent, the error is a *ConflictError and nothing was changed.
func (d *Doc) CompareAndDelete(ctx context.Context, old Version) error {
	return d.wrote("delete", d.write(func() error { return d.drv.Delete(ctx, d.key, old) }))
}

// Create makes the document; if it is there, the error is ErrExist. It is CompareAndSwap from Absent.
func (d *Doc) Create(ctx context.Context, data []byte) (Version, error) {
	return d.CompareAndSwap(ctx, Absent, data)
}

// write does what writes to the document without standing in line.
func (d *Doc) write(do func() error) error {
	if d.keyErr != nil {
		return d.keyErr
	}
	done, err := d.nest()
	if err != nil {
		return err
	}
	defer done()
	return do()
}

// wrote counts a write with the given outcome, and gives its error the document's name.
func (d *Doc) wrote(op string, err error) error {
	if err == nil || errors.Is(err, ErrNotDurable) {
		d.db.stats.writes.Add(1)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrConflict) {
		d.db.stats.conflicts.Add(1)
	}
	return d.error(op, err)
}

// Sweep removes the temporary files that dead processes left beside the document, and returns
// their names, and those of temporary files that it has left alone: that it may not read or
// remove, that are too large, or that another user may have made, whom a sticky directory
// keeps from the document. Writers sweep by themselves when they first write. It is
// ErrUnsupported where documents are not files.
func (d *Doc) Sweep(ctx context.Context) (removed, left []string, err error) {
	files, err := d.onFiles()
	if err == nil {
		removed, left, err = files.sweepDocument(ctx, d.key)
	}
	if err != nil {
		return removed, left, d.error("sweep", err)
	}
	return removed, left, nil
}
