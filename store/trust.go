// The trust of the store in files that have names of its own.
//
// A name proves nothing: every user who may create files in a directory can make one
// with any name. If that user may replace the document too, there is nothing to
// protect. In a sticky directory other users may not. A file there that would be put
// back, finished or read for the document must belong to a user who may replace it. A
// file that is not believed is left alone, and hinders no writer.

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

// believes reports whether a file found beside the document at path may take its place,
// or a symbolic link may name such a file. Found is that file, opened without following
// links, whatever its name. It must be of the kind.
func (d *fileDriver) believes(path string, found fsys.Info, kind fs.FileMode) (bool, error) {
	if found.Mode.Type() != kind {
		return false, nil
	}
	dir, err := d.files.Lstat(filepath.Dir(path))
	if err != nil || dir.Mode&fs.ModeSticky == 0 {
		return err == nil, err
	}
	trusted := isTrusted(found, dir)
	switch document, err := d.files.Lstat(path); {
	case err == nil:
		trusted = trusted || found.UID == document.UID
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return trusted && found.Links == 1, nil
}

// isTrusted reports whether a file in a sticky directory belongs to a user who may replace
// every file there, or to this one.
func isTrusted(found, dir fsys.Info) bool {
	return found.UID == 0 || found.UID == dir.UID || isOurs(found.UID)
}

// checkLink refuses a symbolic link that a kernel with protected links would not
// follow: a link in a sticky directory that others may write, of neither this user nor
// the directory's owner.
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

// isOurs reports whether uid is the user of this process.
func isOurs(uid uint32) bool { return int(uid) == os.Geteuid() }
