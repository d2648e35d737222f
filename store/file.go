// The file driver: one document is one file. This file has the driver, its paths and
// its reads; cas.go has its writes.

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// fileDriver keeps documents in files: all documents beneath a directory, or one.
type fileDriver struct {
	files  fsys.FS
	single string      // the name of the one document, else empty
	linked string      // the path that the caller gave, if it has symbolic links; else empty
	mode   VersionMode // VersionHash or VersionMtime
	opts   *Options
	shared *fileShared
}

// fileShared is the state shared by copies of a driver that differ in durability.
type fileShared struct {
	locks lockTable
	// besides are the locks beside the documents, where locks has another file.
	besides  lockTable
	rows     rows
	switches switches // of histories
	pasts    pasts
	place    atomic.Int32 // of the row, where this handle found a free one
	// Findings by device: whether it is flushed in the order for one journal, is ext4,
	// keeps a change time that no program can set, and is not known to be local.
	journals, ext4, changes, networks findings
	exchanges                         findings // by device: whether two names can be exchanged
	inodeless                         findings // by device: whether inode numbers are invented
	linked                            findings // by device: whether a directory's flush keeps links
	home                              uint64   // the device where the handle was opened
	hasHome                           bool     // whether the directory existed then

	stats   *counters
	coarse  atomic.Bool // a file system was seen that keeps no fine times
	kept    keptReads
	flushed flushed
	closed  atomic.Bool
}

var (
	_ driver.Driver   = (*fileDriver)(nil)
	_ driver.Combiner = (*fileDriver)(nil)
)

func newFileDriver(
	files fsys.FS, single string, opts *Options, stats *counters,
) (*fileDriver, error) {
	d := &fileDriver{files: files, single: single, opts: opts,
		shared: &fileShared{stats: stats}}
	d.shared.locks.init(files, stats, opts.LockPath)
	d.shared.besides.init(files, stats, "")
	var err error
	d.mode, err = d.chooseMode()
	return d, err
}

// with returns a driver on the same documents with other options.
func (d *fileDriver) with(opts *Options) *fileDriver {
	other := *d
	other.opts = opts
	return &other
}

// path returns the path that the document had when the handle was opened.
func (d *fileDriver) path(key string) string {
	if d.single != "" {
		return d.single
	}
	return filepath.FromSlash(key) + keySuffix
}

// locate returns the document's current path, which may be a symbolic link. Links on
// the caller's path may have changed since the open.
func (d *fileDriver) locate(key string) (string, error) {
	if d.linked != "" {
		return followLinks(d.linked)
	}
	return d.path(key), nil
}

// checkDevice refuses a document on a file system that is not known to be local, unless
// the options allow it: a link or a mount may lead there.
func (d *fileDriver) checkDevice(path string, dev uint64) error {
	if d.shared.hasHome && dev == d.shared.home {
		return nil
	}
	dir := filepath.Dir(path)
	remote := d.shared.networks.known(dev, d.files.Now(), func() (bool, error) {
		network, err := d.files.Network(dir)
		return network != "", err
	})
	if !remote {
		return nil
	}
	d.shared.locks.remote.Store(true)
	_, err := checkNetwork(d.files, dir, d.opts)
	return err
}

const maxLinks = 40 // as many as Linux follows

// following runs op with the path of the document. If op finds a symbolic link,
// following runs it again with the link's target, so that the link stays a link.
func (d *fileDriver) following(key string, op func(path string) error) error {
	path, err := d.locate(key)
	if err != nil {
		return err
	}
	for links := 0; ; links++ {
		if d.shared.closed.Load() {
			return ErrClosed
		}
		err := op(path)
		if !errors.Is(err, fsys.ErrSymlink) {
			return err
		}
		if links == maxLinks {
			return fmt.Errorf("%s: too many symbolic links", path)
		}
		if path, err = followLink(d.files, path); err != nil {
			return err
		}
	}
}

// followLink returns the target of the symbolic link at path. The target need not
// exist: a document deleted through a link is absent, and is created again at the
// target. The link stays as it is.
func followLink(files fsys.FS, path string) (string, error) {
	if err := checkLink(files, path); err != nil {
		return "", err
	}
	target, err := files.Readlink(path)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(target) {
		// ".." in the target starts from the link's real directory. The path stands for
		// that directory, so no directory on it may be a link.
		for dir := filepath.Dir(path); strings.Contains(target, "..") &&
			dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if info, err := files.Lstat(dir); err == nil && info.Mode&fs.ModeSymlink != 0 {
				return "", fmt.Errorf("%s is a symbolic link upwards, in a directory that is "+
					"a link itself (%s); name the document by another path", path, dir)
			}
		}
		target = filepath.Join(filepath.Dir(path), target)
	}
	if _, err := files.Lstat(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return target, checkDocumentName(target)
}

// loaded is a document as it was loaded from its file.
type loaded struct {
	// While file is open, its inode number is not reused. It is nil if the document is
	// absent, or where the file has to be closed (NeedsClosed): such systems do not
	// reuse numbers soon.
	file    fsys.File
	info    fsys.Info
	data    []byte
	version driver.Version
	young   bool        // by time: a write since the file was opened may not show in its version
	seen    *seen       // the intent through which it was loaded, if any
	whole   atomic.Bool // its content is known to be valid
	aged    bool        // every later change of the file, which may be closed, shows in its ctime
}

func (s *loaded) close() {
	if s.seen != nil && s.seen.replaced != nil {
		s.seen.replaced.close()
	}
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}

// maxTornReads is how often a file is read again while a foreign program writes to it.
const maxTornReads = 100

// load opens and reads the document at path. The caller closes the result.
func (d *fileDriver) load(ctx context.Context, path string, mode VersionMode) (*loaded, error) {
	for range maxTornReads {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, whole, err := d.loadOnce(path, mode)
		if err != nil || whole {
			return s, err
		}
		s.close()
	}
	return nil, fmt.Errorf("%s keeps changing while it is read: another program writes to "+
		"it in place", path)
}

func (d *fileDriver) loadOnce(path string, mode VersionMode) (s *loaded, whole bool, err error) {
	s = &loaded{}
	var before int64
	if mode == VersionMtime {
		before = d.files.Now()
	}
	defer func() {
		switch {
		case err != nil:
			s.close()
			s = nil
		case d.files.NeedsClosed():
			// A waiter for the lock with this file open would block the holder's
			// rename.
			s.close()
		}
	}()
	s.file, err = d.files.Open(path, fsys.OpenExisting, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &loaded{}, true, nil
	}
	if err != nil {
		return s, false, err
	}
	if s.info, err = s.file.Stat(); err != nil {
		return s, false, err
	}
	s.young = mode == VersionMtime && !isOfAge(s.info, before)
	if err := checkRegular(s.info); err != nil {
		return s, false, err
	}
	if err := d.checkDevice(path, s.info.Dev); err != nil {
		return s, false, err
	}
	if s.data, err = d.readAll(s.file, s.info.Size); err != nil {
		return s, false, err
	}
	if mode == VersionHash {
		// The hash describes exactly the bytes read, whatever happens to the file.
		s.version = hashVersion(s.data)
		return s, true, nil
	}
	after, err := s.file.Stat()
	if err != nil {
		return s, false, err
	}
	s.version = mtimeVersion(s.info, s.file)
	return s, after.Mtime == s.info.Mtime && after.Size == s.info.Size &&
		after.Ctime == s.info.Ctime, nil
}

func checkRegular(info fsys.Info) error {
	switch {
	case info.Mode.IsRegular():
		return nil
	case info.Mode&fs.ModeSymlink != 0:
		return fsys.ErrSymlink
	case info.Mode.IsDir():
		return errors.New("is a directory; a document is a file")
	}
	kind := "special file"
	switch {
	case info.Mode&fs.ModeNamedPipe != 0:
		kind = "pipe"
	case info.Mode&fs.ModeSocket != 0:
		kind = "socket"
	case info.Mode&fs.ModeDevice != 0:
		kind = "device"
	}
	return fmt.Errorf("is not a regular file but a %s; a document is a file that can be replaced",
		kind)
}

// readAll reads a file of the expected size, which another program may be changing.
func (d *fileDriver) readAll(file io.Reader, size int64) ([]byte, error) {
	if size > d.opts.MaxSize {
		return nil, errTooLarge(size, d.opts.MaxSize)
	}
	data := make([]byte, 0, size+1) // one more, to detect the end
	for {
		n, err := file.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		// A read is short only at the end of the file, or before an error, which would
		// come before size.
		if err == io.EOF || err == nil && n > 0 && int64(len(data)) == size {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if int64(len(data)) > d.opts.MaxSize {
			return nil, errTooLarge(int64(len(data)), d.opts.MaxSize)
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

func errTooLarge(size, limit int64) error {
	return fmt.Errorf("%w: %d bytes, the limit is %d; raise MaxSize if that is meant",
		ErrTooLarge, size, limit)
}

// Read implements driver.Driver.
func (d *fileDriver) Read(ctx context.Context, key string) ([]byte, driver.Version, error) {
	s, err := d.latest(ctx, key)
	if err != nil {
		return nil, driver.Absent, err
	}
	return s.data, s.version, nil
}

// orphans returns the names of possible temporary files and copies of a document: after
// a power cut, they may have the content that a program did not flush.
func (d *fileDriver) orphans(key string) []string {
	path, err := d.locate(key)
	if err != nil {
		return nil
	}
	entries, err := d.files.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	base := filepath.Base(path)
	var found []string
	newest := ""
	for _, entry := range entries {
		name := entry.Name
		own := name == base || name == names.Lock(base)
		_, staged := names.TemporaryOf(base, name)
		copied := strings.HasPrefix(strings.TrimLeft(name, ".#"), base)
		if _, ok := names.HistoryOf(base, name); ok {
			newest = max(newest, name) // there may be many
			continue
		}
		if entry.Type.IsRegular() && !own && (staged || copied) {
			found = append(found, name)
		}
	}
	if newest != "" {
		found = append(found, newest)
	}
	return found
}

func (d *fileDriver) Caps() driver.Caps {
	return driver.Caps{Name: "file", UniqueVersions: d.mode == VersionMtime,
		MaxSize: d.opts.MaxSize}
}

func (d *fileDriver) Close() error {
	if d.shared.closed.Swap(true) {
		return nil
	}
	d.shared.locks.table.Close()
	d.shared.besides.table.Close()
	d.shared.kept.close()
	return d.files.Close()
}
