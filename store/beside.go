// How the intents of a transaction find its other documents.
//
// An intent has relative paths, so that a tree of directories can be moved and can have
// several mount points. But such a path may lead elsewhere than it did for the writer:
// a directory between was moved, or this process sees a part of the tree by a mount or a
// symbolic link. So links are resolved before paths are joined, and an intent has the
// inode number of each directory that it names. Only in that directory does a missing
// intent mean that there is no transaction. Elsewhere nothing is known, and readers and
// writers get errElsewhere: neither version may be guessed.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// errElsewhere: a transaction has documents that cannot be reached from here.
var errElsewhere = errors.New("the document is part of a transaction that is not finished, and " +
	"whose other documents cannot be reached from here")

// directory identifies the directory of another document, in an intent. A device has
// another number after a restart or in another container, so an intent says only
// whether it is the same one.
type directory struct {
	Ino uint64 `json:"ino,omitempty"` // 0 where the system has none
	Far bool   `json:"far,omitempty"` // on another device than the intent
}

// losesInodes reports whether the file system on device dev, with the document at path,
// invents inode numbers, and gives a file another one later.
func (d *fileDriver) losesInodes(path string, dev uint64) bool {
	return d.shared.inodeless.known(dev, d.files.Now(), func() (bool, error) {
		kind, err := d.files.Type(filepath.Dir(path))
		return kind == "vfat" || kind == "exfat", err
	})
}

// keepLinks are the file systems where the flush of a directory makes the symbolic links in
// it durable. That of ext4 does so with a journal: without one it leaves the links' inodes
// out, and 20 of 20 links were gone. The last stands for simulated file systems.
var keepLinks = []string{"apfs", "bcachefs", "btrfs", "f2fs", "jfs", "ramfs", "tmpfs", "ufs", "xfs",
	"zfs", "simfs"}

// keepsLinks reports whether links in the document's directory are durable with their names.
func (d *fileDriver) keepsLinks(path string, dev uint64) bool {
	return d.shared.linked.known(dev, d.files.Now(), func() (bool, error) {
		kind, err := d.files.Type(filepath.Dir(path))
		return slices.Contains(keepLinks, kind) || d.files.OneJournal(filepath.Dir(path)), err
	})
}

// directoryOf describes the directory of a document for an intent in the directory own.
func directoryOf(dir, own fsys.Info) directory {
	return directory{dir.Ino, dir.Dev != own.Dev}
}

// beside returns the path of the document that an intent beside the document at path
// names, without symbolic links. A handle on a directory reaches nothing outside of it.
func (d *fileDriver) beside(path, relative string) (string, error) {
	own, err := d.resolve(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	named := filepath.Join(own, filepath.FromSlash(relative))
	if !filepath.IsAbs(named) && !filepath.IsLocal(named) {
		return "", errOutside(named)
	}
	dir, err := d.resolve(filepath.Dir(named))
	return filepath.Join(dir, filepath.Base(named)), err
}

func errOutside(path string) error {
	return fmt.Errorf("%w: %s is outside of the directory that is open; open the document's file "+
		"by itself", errElsewhere, path)
}

// resolve returns the path of a directory without symbolic links. A part that does not
// exist, or cannot be examined, stays as it is.
func (d *fileDriver) resolve(dir string) (string, error) {
	isSeparator := func(r rune) bool { return r < 0x80 && os.IsPathSeparator(byte(r)) }
	root := "." // of the file system, or of the handle
	if filepath.IsAbs(dir) {
		root = filepath.VolumeName(dir) + string(filepath.Separator)
	}
	resolved, left := root, strings.FieldsFunc(dir[len(filepath.VolumeName(dir)):], isSeparator)
	for links := 0; len(left) > 0; {
		part := left[0]
		left = left[1:]
		switch {
		case part == ".":
			continue
		case part == ".." && resolved == ".":
			return "", errOutside(dir)
		case part == "..":
			resolved = filepath.Dir(resolved)
			continue
		}
		next := filepath.Join(resolved, part)
		info, err := d.files.Lstat(next)
		if err != nil || info.Mode&fs.ModeSymlink == 0 {
			resolved = next
			continue
		}
		if err := checkLink(d.files, next); err != nil {
			return "", err
		}
		target, err := d.files.Readlink(next)
		switch {
		case err != nil:
			return "", err
		case links == maxLinks:
			return "", fmt.Errorf("%s: too many symbolic links", dir)
		case filepath.IsAbs(target) && root == ".":
			return "", errOutside(target)
		case filepath.IsAbs(target):
			resolved = root
		}
		links++
		left = slices.Concat(strings.FieldsFunc(target, isSeparator), left)
	}
	return resolved, nil
}

// directory describes the directory of the document at path.
func (d *fileDriver) directory(path string) (fsys.Info, error) {
	dir, err := d.resolve(filepath.Dir(path))
	if err != nil {
		return fsys.Info{}, err
	}
	return d.files.Lstat(dir)
}

// homeOf finds the home of the transaction whose intent in is beside the document at
// path. It returns the home's path and the file at the name of the home's intent. If
// that is not the home's intent, there is no such transaction. In is a member's.
func (d *fileDriver) homeOf(path string, in *intent) (home string, found foundIntent, err error) {
	if home, err = d.beside(path, in.home); err != nil {
		return "", found, err
	}
	if found, err = d.intentAt(home); err != nil {
		return "", found, fmt.Errorf("the document is part of a transaction, and whether that is "+
			"committed cannot be determined: %w", err)
	}
	if !found.isHomeOf(in.id) {
		err = d.checkPlace(path, home, in.homeDir)
	}
	return home, found, err
}

// memberOf finds the member i of the transaction whose intent in is beside its home. It
// returns the member's path, and reports whether the member has an intent of the
// transaction. A member without one is finished.
func (d *fileDriver) memberOf(home string, in *intent, i int) (path string, has bool, err error) {
	if path, err = d.beside(home, in.changes[i].Path); err != nil {
		return "", false, err
	}
	found, err := d.intentAt(path)
	if err == nil && !found.isOf(in.id) {
		err = d.checkPlace(home, path, in.changes[i].Dir)
	}
	return path, found.isOf(in.id), err
}

// checkPlace is errElsewhere unless the document at named is in the directory dir, as
// the intent beside the document at path says.
func (d *fileDriver) checkPlace(path, named string, dir directory) error {
	if dir.Ino == 0 {
		return nil
	}
	own, err := d.directory(path)
	if err != nil {
		return err
	}
	found, err := d.directory(named)
	switch {
	case err == nil && directoryOf(found, own) == dir:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return fmt.Errorf("%w: the directory of %s is not there, or is another one; put it back, or "+
		"name the document by the path where it lies beside that directory; if that is gone for "+
		"good, remove %s, which leaves the document as it is", errElsewhere, named,
		names.Intent(path))
}
