// The file driver's List: the documents of a directory.

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// List implements driver.Driver. It reads each directory once, when the iteration
// reaches it, and only directories that can have keys with the prefix. It keeps the
// names of the current directory and its parents in memory.
func (d *fileDriver) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		l := listing{d: d, ctx: ctx, prefix: prefix, yield: yield}
		err := l.begin()
		if err != nil && !errors.Is(err, errListed) {
			yield("", err)
		}
	}
}

// listed are all keys that a listing has found.
type listed struct {
	keys []string // of files, in order
	// intents are the keys of documents beside which a transaction may have an intent. That
	// says whether they exist.
	intents []string
	// moving: a document was found by its own name, though not when its directory was read.
	moving bool
}

// listAll lists without a loop body.
func (d *fileDriver) listAll(ctx context.Context, prefix string) (all listed, err error) {
	l := listing{d: d, ctx: ctx, prefix: prefix, all: &all}
	l.yield = func(key string, _ error) bool {
		all.keys = append(all.keys, key)
		return true
	}
	err = l.begin()
	return all, err
}

// listing is one iteration over keys.
type listing struct {
	d      *fileDriver
	ctx    context.Context
	prefix string
	yield  func(string, error) bool
	all    *listed // nil in a loop
}

// errListed ends a listing whose caller wants no more keys.
var errListed = errors.New("listed")

// begin lists the lowest directory that has all keys with the prefix.
func (l *listing) begin() error {
	if l.d.single != "" {
		return fmt.Errorf("%w: a single file has no keys to list", ErrUnsupported)
	}
	if err := l.check(); err != nil {
		return err
	}
	dir := l.prefix[:strings.LastIndexByte(l.prefix, '/')+1]
	for i := range len(dir) {
		if dir[i] != '/' {
			continue
		}
		// A walk from the root skips names that keys cannot have, and symbolic links.
		if checkKey(dir[:i]) != nil {
			return nil
		}
		info, err := l.d.files.Lstat(filepath.FromSlash(dir[:i]))
		if isGone(err) || err == nil && !info.Mode.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
	}
	err := l.directory(dir)
	if dir != "" && isGone(err) {
		return nil
	}
	return err
}

// check is the error that ends a listing between two keys.
func (l *listing) check() error {
	if l.d.shared.closed.Load() {
		return ErrClosed
	}
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return nil
}

// directory lists the keys below dir, which is empty or ends with a slash.
//
// All keys of a directory "a" begin with "a/", so a document "a-b" beside it sorts
// against them as "a-b" against "a/". So the order of the names, with a slash after
// each directory, is the order of the keys.
func (l *listing) directory(dir string) error {
	keys, err := l.names(dir)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := l.check(); err != nil {
			return err
		}
		if !strings.HasSuffix(key, "/") {
			if !l.yield(key, nil) {
				return errListed
			}
			continue
		}
		// A directory that was removed meanwhile has no keys.
		if err := l.directory(key); err != nil && !isGone(err) {
			return err
		}
	}
	return nil
}

// names returns, in order, the keys of the documents in dir and, with a slash at the
// end, of its directories. All have the prefix, or keys below them may have it.
func (l *listing) names(dir string) ([]string, error) {
	entries, err := l.d.files.ReadDir(filepath.Join(".", filepath.FromSlash(dir)))
	if err != nil {
		return nil, err
	}
	var keys, locked []string
	for _, entry := range entries {
		if document, ok := lockedDocument(entry.Name); ok {
			if key, ok := l.key(dir, document, 0); ok {
				locked = append(locked, key)
			}
		} else if document, ok := l.intentDocument(dir, entry); ok {
			if key, ok := l.key(dir, document, 0); ok && l.all != nil {
				l.all.intents = append(l.all.intents, key)
			}
		} else if key, ok := l.key(dir, entry.Name, entry.Type); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	moved, err := l.moved(keys, locked)
	if len(moved) > 0 {
		keys = append(keys, moved...)
		slices.Sort(keys)
		if l.all != nil {
			l.all.moving = true
		}
	}
	// Some systems may return a moving name twice.
	return slices.Compact(keys), err
}

// key returns the key that an entry of dir stands for, if it is wanted.
func (l *listing) key(dir, name string, kind fs.FileMode) (key string, wanted bool) {
	if kind.IsDir() {
		key = dir + name + "/"
		wanted = strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)
	} else if name, wanted = strings.CutSuffix(name, keySuffix); wanted {
		key = dir + name
		wanted = strings.HasPrefix(key, l.prefix)
	}
	return key, wanted && checkKey(name) == nil
}

// moved returns the keys of locked that are not among keys, which are sorted, and whose
// documents exist. btrfs moves a name to the end of the directory when a file is
// renamed over it, and omits a name that moves while the directory is read. The lock
// file does not move.
func (l *listing) moved(keys, locked []string) (moved []string, err error) {
	for _, key := range locked {
		if _, found := slices.BinarySearch(keys, key); found {
			continue
		}
		info, err := l.d.files.Lstat(l.d.path(key))
		switch {
		case err == nil && !info.Mode.IsDir():
			moved = append(moved, key)
		case err != nil && !isGone(err):
			return nil, err
		}
	}
	return moved, nil
}

// lockedDocument returns the name of the document whose lock file has this name.
func lockedDocument(name string) (document string, ok bool) {
	document, own := names.Own(name)
	return document, own && names.Lock(document) == name
}

// intentDocument returns the name of the document of whose transaction this is the intent.
func (l *listing) intentDocument(dir string, entry fsys.Entry) (document string, ok bool) {
	document, own := names.Own(entry.Name)
	if !own || names.Intent(document) != entry.Name || l.all == nil {
		return "", false
	}
	if entry.Type == fs.ModeSymlink {
		// A guard's does not count. One that is gone by now may have been a transaction's.
		target, err := l.d.files.Readlink(filepath.Join(filepath.FromSlash(dir), entry.Name))
		return document, err != nil || decodeMember(target) != nil
	}
	return document, entry.Type.IsRegular()
}

// isGone reports whether an error means that the directory does not exist.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
