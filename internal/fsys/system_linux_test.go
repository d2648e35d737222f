package fsys

import (
	"slices"
	"testing"
)

// TestFUSEIsNotLocal: a FUSE mount is recognized by its type, and is local only if that
// type is known to be.
func TestFUSEIsNotLocal(t *testing.T) {
	const mounts = `22 1 254:0 / / rw,relatime - ext4 /dev/root rw
36 22 0:31 / /mnt/a rw,nosuid,nodev shared:12 - fuse.sshfs me@host:/srv rw,user_id=0
37 22 0:32 / /mnt/with\040space rw - fuseblk /dev/sdb1 rw
39 22 0:35 / /mnt/d rw - fuseblk.ntfs /dev/sdb2 rw
38 22 0:33 / /mnt/c rw - virtiofs share rw
`
	for minor, want := range map[uint32]struct {
		kind  string
		local bool
	}{
		31: {"fuse.sshfs", false}, 32: {"fuseblk", true}, 33: {"virtiofs", false},
		35: {"fuseblk.ntfs", true}, 34: {"", false},
	} {
		kind := typeOfDevice(mounts, 0, minor)
		if kind != want.kind || isLocalFUSE(kind) != want.local {
			t.Errorf("0:%d is %q, want %+v", minor, kind, want)
		}
	}
	for _, kind := range []string{"fuse", "nfs", "smb", "afs", "ceph", "9p", "0x123"} {
		if slices.Contains(localTypes, kind) {
			t.Errorf("%s is taken for local", kind)
		}
	}
}
