// Who may do what with a new version: mode, owner and group are those of the version that
// it replaces.

package store

import (
	"io/fs"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// resemble gives the staged file the mode and owner of the current version, and a later time.
func (s *staged) resemble(current fsys.Info, exists bool) (err error) {
	if exists {
		if s.info.UID != current.UID || s.info.GID != current.GID {
			// Only root may give files away, and others only to groups of theirs. Where it is
			// not allowed the document becomes the writer's, as with any program that
			// replaces files. Owner before mode: a change of owner clears mode bits.
			if s.file.Chown(current.UID, current.GID) != nil {
				_ = s.file.Chown(s.info.UID, current.GID)
			}
		}
		const kept = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
		if s.info.Mode&kept != current.Mode&kept {
			if err := s.file.Chmod(current.Mode & kept); err != nil {
				return err
			}
		}
	}
	s.info, s.fine, err = stamp(s.files, s.file, current.Mtime)
	return err
}
