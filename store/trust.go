// What the store believes of files that have names of its own.
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

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// checkDocumentName refuses the names of the store's own files.
func checkDocumentName(path string) error {
	if document, own := names.Own(filepath.Base(path)); own {
		return fmt.Errorf("%w: %s is a name that the store has for a file of its own, beside %s; "+
			"name the document", ErrKey, filepath.Base(path), document)
	}
	return nil
}

// believes reports whether a file that was found beside the document at path may take its
// place, or a symbolic link say what may. Found is that file, opened without following
// links: whatever its name. It is to be of the kind.
func (d *fileDriver) believes(path string, found fsys.Info, kind fs.FileMode) (bool, error) {
	if found.Mode.Type() != kind {
		return false, nil
	}
	dir, err := d.files.Lstat(filepath.Dir(path))
	if err != nil || dir.Mode&fs.ModeSticky == 0 {
		return err == nil, err
	}
	trusted := found.UID == 0 || found.UID == dir.UID || isOurs(found.UID)
	switch document, err := d.files.Lstat(path); {
	case err == nil:
		trusted = trusted || found.UID == document.UID
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return trusted && found.Links == 1, nil
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
