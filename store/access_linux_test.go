package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const defaultACL = "system.posix_acl_default"

// acl is an access control list: what the owner, user 4003, the group, all named, and
// others may.
func acl(owner, user, group, mask, others uint16) []byte {
	const none = ^uint32(0)
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, bits uint16
		id        uint32
	}{{1, owner, none}, {2, user, 4003}, {4, group, none}, {16, mask, none}, {32, others, none}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.bits)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func attribute(t *testing.T, path, name string) []byte {
	t.Helper()
	buf := make([]byte, 1000)
	n, err := unix.Getxattr(path, name, buf)
	if errors.Is(err, unix.ENODATA) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func setAttribute(t *testing.T, path, name string, value []byte) {
	t.Helper()
	if err := unix.Setxattr(path, name, value, 0); errors.Is(err, unix.ENOTSUP) {
		t.Skipf("%s has no %s", path, name)
	} else if err != nil {
		t.Fatal(err)
	}
}

// TestAttributesAreKept: an access control list and what programs have attached outlive
// an update, in each way to publish one.
func TestAttributesAreKept(t *testing.T) {
	for name, opts := range map[string]Options{
		"durable": {}, "volatile": {Durability: Volatile}, "guard": {GuardForeign: true},
		"journal": {FlushOrder: JournalOrder},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.json")
			if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
				t.Fatal(err)
			}
			list := acl(6, 6, 0, 6, 0)
			setAttribute(t, path, fsys.ACLName, list)
			setAttribute(t, path, "user.origin", []byte("here"))
			long := bytes.Repeat([]byte("x"), 2000)
			setAttribute(t, path, "user.long", long)
			doc, err := OpenFile(path, &opts)
			if err != nil {
				t.Fatal(err)
			}
			defer doc.Close()
			for _, next := range []string{"2", "3"} {
				if _, err := doc.Update(context.Background(), become(next)); err != nil {
					t.Fatal(err)
				}
			}
			if got := attribute(t, path, fsys.ACLName); !bytes.Equal(got, list) {
				t.Errorf("the list is %x, want %x", got, list)
			}
			if got := attribute(t, path, "user.origin"); string(got) != "here" {
				t.Errorf("the attribute is %q", got)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o660 {
				t.Errorf("the mode is %v, %v", info.Mode(), err)
			}
		})
	}
}

// TestChangedWhileUpdated: what was set after the document was read is kept too.
func TestChangedWhileUpdated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	if err := os.WriteFile(path, []byte("1"), 0o660); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o660); err != nil { // as the list will have it
		t.Fatal(err)
	}
	doc, err := OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	list := acl(6, 6, 4, 6, 0)
	a := doc.drv.files.attempt(doc.key, VersionHash)
	defer a.Close()
	ctx := context.Background()
	if _, _, err = a.Read(ctx); err == nil {
		err = a.Stage(ctx, []byte("2"))
	}
	setAttribute(t, path, fsys.ACLName, list)
	if err == nil {
		_, err = a.TryLock(ctx)
	}
	if err == nil {
		_, err = a.Publish(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := attribute(t, path, fsys.ACLName); !bytes.Equal(got, list) {
		t.Errorf("the list is %x, want %x", got, list)
	}
}

// TestInheritedListIsRemoved: what a directory gives to new files is not given to a new
// version of an old one.
func TestInheritedListIsRemoved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o666, 0o604, 0o600} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		setAttribute(t, dir, defaultACL, acl(7, 6, 5, 7, 5))
		doc, err := OpenFile(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = doc.Update(context.Background(), become("2"))
		if err == nil {
			_, err = doc.Update(context.Background(), become("1"))
		}
		doc.Close()
		if err != nil {
			t.Fatal(err)
		}
		got := attribute(t, path, fsys.ACLName)
		info, err := os.Stat(path)
		if err != nil || info.Mode() != mode {
			t.Errorf("%v: the mode is %v, %v", mode, info.Mode(), err)
		}
		// With no bits for the group, a list allows nobody anything.
		if got != nil && mode&0o070 != 0 {
			t.Errorf("%v: it has the list %x", mode, got)
		}
	}
}

// TestNarrowed: what is not kept allows nobody more than before.
func TestNarrowed(t *testing.T) {
	for _, c := range []struct {
		mode           fs.FileMode
		owned, grouped bool
		want           fs.FileMode
	}{
		{0o640, true, true, 0o640},
		{0o640, true, false, 0o600},
		{0o604, true, false, 0o600},
		{0o664, true, false, 0o644},
		{0o666, false, false, 0o666},
		{0o640, false, true, 0o640},
		{0o755 | fs.ModeSetuid, false, true, 0o755},
		{0o755 | fs.ModeSetgid, true, false, 0o755},
		{0o755 | setIDs, true, true, 0o755 | setIDs},
	} {
		if got := narrowed(c.mode, c.owned, c.grouped); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestLockIsAsItsDocument: whoever may change the document can lock it, whatever the mode
// that the lock file was made with.
func TestLockIsAsItsDocument(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	if err := os.WriteFile(path, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(names.Lock(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o664, 0o600, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		doc, err := OpenFile(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = doc.Update(context.Background(), become(`"`+mode.String()+`"`))
		doc.Close()
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(names.Lock(path)); err != nil || info.Mode() != mode {
			t.Errorf("the lock file of one with mode %v has %v: %v", mode, info.Mode(), err)
		}
	}
}

// TestLockThatIsAnotherFile: a name made for another file does not get that the access of
// the document.
func TestLockThatIsAnotherFile(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "s.json"), filepath.Join(dir, "other")
	for _, content := range []string{"", "secret"} {
		err := os.WriteFile(path, []byte("1"), 0o600)
		if err == nil {
			err = os.Chmod(path, 0o664)
		}
		if err == nil {
			err = os.WriteFile(other, []byte(content), 0o600)
		}
		if err == nil {
			err = os.Link(other, names.Lock(path))
		}
		if err == nil && content != "" {
			err = os.Remove(other)
		}
		if err != nil {
			t.Fatal(err)
		}
		doc, err := OpenFile(path, nil)
		if err == nil {
			_, err = doc.Update(context.Background(), become("2"))
			doc.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(names.Lock(path)); err != nil || info.Mode() != 0o600 {
			t.Errorf("content %q: the other file has mode %v: %v", content, info.Mode(), err)
		}
		os.Remove(names.Lock(path))
	}
}

// TestLeastBits: without its list a file allows nobody more than the list did.
func TestLeastBits(t *testing.T) {
	for _, c := range []struct {
		list []byte
		want fs.FileMode
	}{
		{acl(6, 6, 0, 6, 4), 0}, {acl(6, 0, 6, 6, 4), 0}, {acl(6, 6, 4, 6, 4), 4}, {acl(6, 7, 7, 5, 7), 5},
	} {
		if got := fsys.LeastBits(c.list); got != c.want {
			t.Errorf("%x: %v, want %v", c.list, got, c.want)
		}
	}
}
