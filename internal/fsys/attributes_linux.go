// What a file has beside its mode on Linux: an access control list, a security label, and
// what programs have attached to it.

package fsys

import (
	"encoding/binary"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// ACLName is the attribute that is a file's access control list.
const ACLName = "system.posix_acl_access"

// Attributes implements File. For a file without any it is one system call.
func (f *file) Attributes() (map[string][]byte, error) {
	size, err := unix.Flistxattr(f.fd, nil)
	switch {
	case err == nil && size == 0, err == unix.ENOTSUP, err == unix.ENOSYS:
		return nil, nil
	case err != nil:
		return nil, f.error("list the attributes of", err)
	}
	list, err := sized(func(buf []byte) (int, error) { return unix.Flistxattr(f.fd, buf) })
	if err != nil {
		return nil, f.error("list the attributes of", err)
	}
	found := map[string][]byte{}
	for name := range strings.SplitSeq(string(list), "\x00") {
		if name == "" {
			continue
		}
		value, err := sized(func(buf []byte) (int, error) {
			return unix.Fgetxattr(f.fd, name, buf)
		})
		switch {
		case err == nil:
			found[name] = value
		case err != unix.ENODATA: // removed since
			return nil, f.error("read the attribute "+name+" of", err)
		}
	}
	return found, nil
}

// noAttribute is one that no file has.
const noAttribute = "user.jsonstore.none"

// stillWrites removes an attribute that is not there: ext4 and others begin a change in their
// journal before they look.
func stillWrites(fd int) error {
	err := again(func() error { return unix.Fremovexattr(fd, noAttribute) })
	switch err {
	case unix.EROFS, unix.EIO, unix.EACCES, unix.EPERM:
		return err
	}
	return nil // it is not there, or there are none here
}

// sized calls get with a buffer of the size that it asks for.
func sized(get func(buf []byte) (int, error)) ([]byte, error) {
	for {
		size, err := get(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buf := make([]byte, size)
		n, err := get(buf)
		if err != unix.ERANGE { // it has grown meanwhile
			return buf[:max(n, 0)], err
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
