// What a file has beside its mode on Linux: an access control list, a security label, and
// what programs have attached to it.

package fsys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// ACLName is the attribute that is a file's access control list.
const ACLName = "system.posix_acl_access"

// Attributes implements File. For a file without any it is one system call.
func (f *file) Attributes() (map[string][]byte, error) {
	var buf [1024]byte
	list, err := grown(buf[:], func(buf []byte) (int, error) {
		return unix.Flistxattr(f.fd, buf)
	})
	switch {
	case errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS):
		return nil, nil
	case err != nil:
		return nil, f.error("list the attributes of", err)
	}
	var found map[string][]byte
	for name := range bytes.SplitSeq(list, []byte{0}) {
		if len(name) == 0 {
			continue
		}
		get := func(buf []byte) (int, error) { return unix.Fgetxattr(f.fd, string(name), buf) }
		value, err := grown(nil, get)
		switch {
		case errors.Is(err, unix.ENODATA):
			continue // removed since
		case err != nil:
			return nil, f.error("read the attribute "+string(name)+" of", err)
		}
		if found == nil {
			found = map[string][]byte{}
		}
		found[string(name)] = value
	}
	return found, nil
}

// grown calls get with a buffer that is large enough.
func grown(buf []byte, get func(buf []byte) (int, error)) ([]byte, error) {
	for {
		if len(buf) == 0 { // asks for the size
			n, err := get(nil)
			if err != nil || n == 0 {
				return nil, err
			}
			buf = make([]byte, n)
		}
		n, err := get(buf)
		switch {
		case err == unix.EINTR:
		case err == unix.ERANGE:
			buf = nil
		case err != nil:
			return nil, err
		default:
			return buf[:n], nil
		}
	}
}

// SetAttribute implements File.
func (f *file) SetAttribute(name string, value []byte) error {
	return f.do("set the attribute "+name+" of", func(fd int) error {
		return unix.Fsetxattr(fd, name, value, 0)
	})
}

// setPlainMode gives a file permission bits and no access control list, in one step: a
// list that it has inherited would be opened by bits for the group. It reports false
// where there are no such lists.
func (f *file) setPlainMode(mode fs.FileMode) bool {
	return unix.Fsetxattr(f.fd, ACLName, plainACL(mode), 0) == nil
}

// The form of an access control list as an attribute, little-endian: a version, then for
// each entry its tag, its bits, and an id.
const (
	aclVersion    = 2
	aclOwner      = 0x01
	aclUser       = 0x02
	aclGroup      = 0x04 // the owning group
	aclNamedGroup = 0x08
	aclMask       = 0x10
	aclOthers     = 0x20
	aclNoID       = 0xffffffff
)

// plainACL is the list that says what permission bits do.
func plainACL(mode fs.FileMode) []byte {
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range [...]struct{ tag, bits uint16 }{
		{aclOwner, uint16(mode >> 6 & 7)},
		{aclGroup, uint16(mode >> 3 & 7)},
		{aclOthers, uint16(mode & 7)},
	} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.bits)
		b = binary.LittleEndian.AppendUint32(b, aclNoID)
	}
	return b
}

// LeastBits returns what an access control list allows all whom it names, and the owning
// group: of that the mode's group bits say no more than an upper bound.
func LeastBits(acl []byte) fs.FileMode {
	least := fs.FileMode(7)
	for at := 4; at+8 <= len(acl); at += 8 {
		switch binary.LittleEndian.Uint16(acl[at:]) {
		case aclUser, aclGroup, aclNamedGroup, aclMask:
			least &= fs.FileMode(binary.LittleEndian.Uint16(acl[at+2:]))
		}
	}
	return least
}
