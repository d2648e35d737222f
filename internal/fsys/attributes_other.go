//go:build !linux

package fsys

import (
	"errors"
	"io/fs"
)

// ACLName is the attribute that is a file's access control list.
const ACLName = "system.posix_acl_access"

// LeastBits returns what an access control list allows all whom it names. Here none is
// known.
func LeastBits([]byte) fs.FileMode { return 0 }

// Attributes implements File. Access control lists of this system are not carried over:
// what replaces a file has those of a new one.
func (f file) Attributes() (map[string][]byte, error) { return nil, nil }

// SetAttribute implements File.
func (f file) SetAttribute(string, []byte) error { return errors.ErrUnsupported }
