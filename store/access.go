// Who may do what with a new version: what the one that it replaces allows, and nothing
// more. Mode, owner, group, access control list, security label and the attributes that
// programs have attached are kept. What cannot be kept narrows access, and never widens
// it.

package store

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// resemble gives the staged file the access of the current version, which is open as
// from, and a later time. From is nil if there is none.
func (s *staged) resemble(current fsys.Info, from fsys.File) (err error) {
	if from != nil {
		if err := s.takeAccess(current, from); err != nil {
			return err
		}
	}
	s.info, s.fine, err = stamp(s.files, s.file, current.Mtime)
	return err
}

const (
	permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	setIDs      = fs.ModeSetuid | fs.ModeSetgid
)

func (s *staged) takeAccess(current fsys.Info, from fsys.File) error {
	owned, grouped := s.info.UID == current.UID, s.info.GID == current.GID
	if !owned || !grouped {
		// Only root may give files away, and others only to groups of theirs. Where it is
		// not allowed the document becomes the writer's, as with any program that
		// replaces files. Owner before mode: a change of owner clears mode bits.
		if s.file.Chown(current.UID, current.GID) == nil {
			owned, grouped = true, true
		} else if s.file.Chown(s.info.UID, current.GID) == nil {
			grouped = true
		}
	}
	attributes, err := from.Attributes()
	if err != nil {
		return err
	}
	mode, acl := current.Mode&permissions, attributes[fsys.ACLName]
	if acl != nil {
		if owned && grouped && s.file.SetAttribute(fsys.ACLName, acl) == nil {
			return s.takeAttributes(attributes) // its bits are those of the mode
		}
		// Whom the list named is one of the others now, or of the group.
		least := fsys.LeastBits(acl)
		mode &^= 0o077 &^ (least<<3 | least)
	}
	if mode = narrowed(mode, owned, grouped); s.info.Mode&permissions != mode {
		if err := s.file.Chmod(mode); err != nil {
			return err
		}
	}
	return s.takeAttributes(attributes)
}

// narrowed is a mode for a file whose owner or group is not kept. Without the group its
// members are among the others, and others among the new group: both may do what both
// could. What runs as its owner or group may not run as another one.
func narrowed(mode fs.FileMode, owned, grouped bool) fs.FileMode {
	if !owned || !grouped {
		mode &^= setIDs
	}
	if !grouped {
		both := mode >> 3 & mode & 7
		mode = mode&^0o077 | both<<3 | both
	}
	return mode
}

// takeAttributes takes over what programs have attached, and the label of a security
// module; not what stands for the content, such as its signature.
func (s *staged) takeAttributes(attributes map[string][]byte) error {
	for name, value := range attributes {
		label := name == "security.selinux" || name == "security.SMACK64"
		if !label && !strings.HasPrefix(name, "user.") {
			continue
		}
		err := s.file.SetAttribute(name, value)
		if err == nil {
			continue
		}
		// It may have it already, and not be allowed to set it.
		has, listErr := s.file.Attributes()
		if listErr != nil || !bytes.Equal(has[name], value) {
			return fmt.Errorf("keep the document's attribute %s: %w; remove it from the document, "+
				"or write as a user who may set it", name, err)
		}
	}
	return nil
}
