// The names that the store takes for itself, and what it believes of the files that have
// them.
//
// A name proves nothing: whoever may create files in a directory can make one with any
// name. Where such a one could replace the document too, there is nothing to protect. In
// a sticky directory it could not, and so a file there that would be put back, finished
// or read for the document must be of somebody who could. What is not believed is left
// alone, and hinders nobody.

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// reservedSuffixes are what the names of the store's own files end with, beside those of
// temporary files: .NAME.lock, and those that later versions may make.
var reservedSuffixes = [...]string{".lock", ".tx", ".kept", ".history"}

// ownFileOf returns the name of the document whose file a name is that the store takes
// for itself.
func ownFileOf(name string) (document string, own bool) {
	if document, _, ok := stagedFor(name); ok {
		return document, true
	}
	rest, dotted := strings.CutPrefix(name, ".")
	for _, suffix := range reservedSuffixes {
		if document, ok := strings.CutSuffix(rest, suffix); ok && dotted && document != "" {
			return document, true
		}
	}
	return "", false
}

// checkDocumentName refuses the names of the store's own files.
func checkDocumentName(path string) error {
	if document, own := ownFileOf(filepath.Base(path)); own {
		return fmt.Errorf("%w: %s is a name that the store has for a file of its own, beside %s; "+
			"name the document", ErrKey, filepath.Base(path), document)
	}
	return nil
}

// couldBeDocument reports whether the store could have a document with this file name, whose
// leftovers it may then remove.
func (d *fileDriver) couldBeDocument(name string) bool {
	if d.single != "" {
		return name == filepath.Base(d.single)
	}
	part, ok := strings.CutSuffix(name, keySuffix)
	return ok && checkKey(part) == nil
}

// believes reports whether a file that was found beside the document at path may take its
// place. Found is that file, opened without following links: whatever its name.
func (d *fileDriver) believes(path string, found fsys.Info) (bool, error) {
	dir, err := d.files.Lstat(filepath.Dir(path))
	if err != nil || dir.Mode&fs.ModeSticky == 0 {
		return err == nil && found.Mode.IsRegular(), err
	}
	trusted := found.UID == 0 || found.UID == dir.UID || isOurs(found.UID)
	switch document, err := d.files.Lstat(path); {
	case err == nil:
		trusted = trusted || found.UID == document.UID
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return trusted && found.Mode.IsRegular() && found.Links == 1, nil
}

// checkLink refuses a symbolic link that the kernel would not follow where it protects
// links: one in a sticky directory that others may write, of neither us nor the
// directory's owner.
func checkLink(files fsys.FS, path string) error {
	dir, err := files.Lstat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if dir.Mode&fs.ModeSticky == 0 || dir.Mode&0o022 == 0 {
		return nil
	}
	link, err := files.Lstat(path)
	if err != nil || link.UID == dir.UID || isOurs(link.UID) {
		return err
	}
	return fmt.Errorf("%s is a symbolic link of user %d in a sticky directory, where it is not "+
		"followed; name the file that it leads to: %w", path, link.UID, fs.ErrPermission)
}

// isOurs reports whether files of this user are those of this process.
func isOurs(uid uint32) bool { return int(uid) == os.Geteuid() }
