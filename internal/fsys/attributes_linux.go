// The attributes of a file on Linux: an access control list, a security label, and
// those that programs have attached.

package fsys

import (
	"encoding/binary"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// ACLName is the attribute with a file's access control list.
const ACLName = "system.posix_acl_access"

// Attributes implements File. For a file without attributes it is one system call.
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
		case err != unix.ENODATA: // removed meanwhile
			return nil, f.error("read the attribute "+name+" of", err)
		}
	}
	return found, nil
}

// noAttribute is an attribute that no file has.
const noAttribute = "user.jsonstore.none"

// stillWrites removes an absent attribute: ext4 and others begin a journal transaction
// before they look it up.
func stillWrites(fd int) error {
	err := again(func() error { return unix.Fremovexattr(fd, noAttribute) })
	switch err {
	case unix.EROFS, unix.EIO, unix.EACCES, unix.EPERM:
		return err
	}
	return nil // it is absent, or the file system has none
}

// sized calls get with a buffer of the size that get reports.
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

// setPlainMode sets permission bits and removes the access control list, in one step:
// the group bits would activate the entries of an inherited list. It reports false
// where there are no such lists.
func (f *file) setPlainMode(mode fs.FileMode) bool {
	return unix.Fsetxattr(f.fd, ACLName, plainACL(mode), 0) == nil
}

// The encoding of an access control list as an attribute, little-endian: a version,
// then for each entry its tag, its bits, and an id.
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

// plainACL is the list that is equivalent to permission bits.
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

// LeastBits returns the permissions that an access control list gives to all its
// entries and the owning group. The mode's group bits are only an upper bound of these.
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
