//go:build !linux

package fsys

import (
	"errors"
	"io/fs"
)

// ACLName is the attribute with a file's access control list.
const ACLName = "system.posix_acl_access"

// LeastBits returns the permissions that an access control list gives to all its
// entries. This system has no such attribute.
func LeastBits([]byte) fs.FileMode { return 0 }

// Attributes implements File. Access control lists of this system are not kept: a
// replacement gets those of a new file.
func (f file) Attributes() (map[string][]byte, error) { return nil, nil }

// SetAttribute implements File.
func (f file) SetAttribute(string, []byte) error { return errors.ErrUnsupported }
