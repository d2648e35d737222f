// The access to a new version: what the version that it replaces allows, and nothing
// more. Mode, owner, group, access control list, security label and the attributes that
// programs have attached are kept. Access that cannot be kept is narrowed, and never
// widened.

package store

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

const (
	permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	setIDs      = fs.ModeSetuid | fs.ModeSetgid
)

// takeAccess gives the staged file the access of the current version, which is open as
// from, or nil if there is none.
func (s *staged) takeAccess(current fsys.Info, from fsys.File) error {
	if from == nil {
		return nil
	}
	attributes, err := from.Attributes()
	if err != nil {
		return err
	}
	s.attributes = attributes
	return s.take(current, attributes)
}

// take gives the file the access of the current version, which has these attributes.
func (s *staged) take(current fsys.Info, attributes map[string][]byte) error {
	owned, grouped := s.info.UID == current.UID, s.info.GID == current.GID
	if !owned || !grouped {
		// Only root may give files away. Other users may set the group to one of
		// theirs. If that is denied the document becomes the writer's, as with any
		// program that replaces files. Owner before mode: a change of owner clears mode
		// bits.
		if s.file.Chown(current.UID, current.GID) == nil {
			owned, grouped = true, true
		} else if s.file.Chown(s.info.UID, current.GID) == nil {
			grouped = true
		}
	}
	mode, acl := current.Mode&permissions, attributes[fsys.ACLName]
	if acl != nil {
		if owned && grouped && s.file.SetAttribute(fsys.ACLName, acl) == nil {
			return s.takeAttributes(attributes) // its bits are those of the mode
		}
		// A user that the list named is now one of the others, or of the group.
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

// narrowed returns the mode for a file whose owner or group is not kept. Without the
// group its members are among the others, and others among the new group: both get the
// rights that both had. No set-ID bit is kept: it would run programs as another one.
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

// takeAttributes copies the attributes that programs have attached, and the label of a
// security module. It skips attributes that stand for the content, such as its
// signature.
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
		// The file may have the attribute already, without the right to set it.
		has, listErr := s.file.Attributes()
		if listErr != nil || !bytes.Equal(has[name], value) {
			return fmt.Errorf("keep the document's attribute %s: %w; remove it from the document, "+
				"or write as a user who may set it", name, err)
		}
	}
	return nil
}

// rights are those that a file gives.
type rights struct {
	info       fsys.Info
	attributes map[string][]byte
}

// common returns the bits for group and others that the file gives to all who are in the
// group or among the others of a file with this group and access control list.
func (r rights) common(group uint32, acl []byte) fs.FileMode {
	bits := r.info.Mode & 0o077
	if r.info.GID != group {
		both := bits >> 3 & bits
		bits = both<<3 | both
	}
	if own := r.attributes[fsys.ACLName]; !bytes.Equal(own, acl) {
		for _, list := range [...][]byte{own, acl} {
			if list != nil {
				least := fsys.LeastBits(list)
				bits &= least<<3 | least
			}
		}
	}
	return bits
}

// narrow gives the staged file no access that the file from which its content comes did
// not have. If there is no document, it gets the access of that file.
func (a *attempt) narrow(from rights) error {
	s := a.staged
	now, err := s.file.Stat()
	if err != nil {
		return err
	}
	mine, err := s.file.Attributes()
	if err != nil {
		return err
	}
	mode := now.Mode & permissions
	if a.current.version.IsAbsent() {
		mode = from.info.Mode & permissions
		owned := now.UID == from.info.UID && now.GID == from.info.GID
		if !owned && s.file.Chown(from.info.UID, from.info.GID) == nil {
			now.UID, now.GID, owned = from.info.UID, from.info.GID, true
		}
		mode = narrowed(mode, owned, owned)
	}
	mode &^= 0o077 &^ from.common(now.GID, mine[fsys.ACLName])
	if mode == now.Mode&permissions && bytes.Equal(mine[fsys.ACLName],
		from.attributes[fsys.ACLName]) {
		return nil
	}
	if err := s.file.Chmod(mode); err != nil {
		return err
	}
	return a.flushAccess(s)
}
