// The rig: a file system on a disk image, and power cuts of it.

package powercut

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// fsShutdown is FS_IOC_SHUTDOWN of the kernel's fs.h. With noLogFlush the kernel does not
	// write what is not in the journal yet.
	fsShutdown = 0x8004587d
	noLogFlush = 2

	imageSize = 512 << 20
	hostSize  = 4 << 30
)

// rig is a mounted file system.
type rig struct {
	t     *testing.T
	kind  string
	image string
	mount string
	// a power cut is a clone of the image, which needs a host file system that can clone
	clones bool
	host   *rig
}

// makers has the commands that make a file system in an image.
var makers = map[string][]string{
	"ext4":  {"mkfs.ext4", "-q", "-F"},
	"xfs":   {"mkfs.xfs", "-q", "-f"},
	"btrfs": {"mkfs.btrfs", "-q", "-f"},
}

// imageVariable names the directory for images. The default is the directory for temporary files.
const imageVariable = "JSONSTORE_CUT_DIR"

// ourPrefix and the number of the process begin the name of each directory for images and mounts.
const ourPrefix = "jsonstore-powercut-"

// newRig makes and mounts a file system. It skips the test if something is missing, and says what.
func newRig(t *testing.T, kind string) *rig {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	if _, err := exec.LookPath(makers[kind][0]); err != nil {
		t.Skipf("%v: install what makes %s file systems", err, kind)
	}
	sweepMounts(t)
	images, err := os.MkdirTemp(os.Getenv(imageVariable), ourPrefix+fmt.Sprintf("%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(images) })
	dir := images
	r := &rig{t: t, kind: kind, clones: kind == "btrfs"}
	if r.clones {
		// Btrfs cannot be shut down. Instead its image is cloned, which xfs does atomically.
		r.host = &rig{t: t, kind: "xfs"}
		r.host.make(dir, hostSize)
		dir = r.host.mount
	}
	r.make(dir, imageSize)
	return r
}

func (r *rig) make(dir string, size int64) {
	r.t.Helper()
	r.image, r.mount = filepath.Join(dir, r.kind+".image"), filepath.Join(dir, r.kind)
	file, err := os.Create(r.image)
	if err == nil {
		err = file.Truncate(size)
		file.Close()
	}
	if err == nil {
		err = os.Mkdir(r.mount, 0o700)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.command(append(makers[r.kind], r.image)...)
	if err := r.attach(); err != nil {
		r.t.Skipf("mounting an image of %s does not work here: %v", r.kind, err)
	}
	r.t.Cleanup(func() { r.detach() })
}

// sweepMounts unmounts the file systems of tests that were killed.
func sweepMounts(t *testing.T) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(mounts), "\n")
	slices.Reverse(lines) // inner mounts come after outer ones
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		_, after, ours := strings.Cut(fields[1], "/"+ourPrefix)
		owner, _, _ := strings.Cut(after, "-")
		if _, err := os.Stat("/proc/" + owner); ours && errors.Is(err, os.ErrNotExist) {
			t.Logf("unmounting %s, which process %s has left: %v", fields[1], owner,
				unix.Unmount(fields[1], unix.MNT_DETACH))
		}
	}
}

func (r *rig) command(args ...string) {
	r.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (r *rig) attach() error {
	if out, err := exec.Command("mount", "-o", "loop", r.image,
		r.mount).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	return nil
}

// detach unmounts the file system as soon as no process uses it: killed processes take a moment
// to end.
func (r *rig) detach() {
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := unix.Unmount(r.mount, 0)
		if err == nil || errors.Is(err, unix.EINVAL) {
			return
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			r.t.Errorf("unmount %s: %v", r.mount, err)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// cut cuts the power. Later writes of the processes are lost, and so are earlier ones that are
// not on the device.
func (r *rig) cut() {
	r.t.Helper()
	if r.clones {
		from, err := os.Open(r.image)
		if err != nil {
			r.t.Fatal(err)
		}
		defer from.Close()
		to, err := os.Create(r.image + ".cut")
		if err != nil {
			r.t.Fatal(err)
		}
		defer to.Close()
		if err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd())); err != nil {
			r.t.Fatalf("clone the image: %v", err)
		}
		return
	}
	dir, err := os.Open(r.mount)
	if err != nil {
		r.t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), fsShutdown, noLogFlush); err != nil {
		r.t.Fatalf("shut the file system down: %v", err)
	}
}

// restart mounts the file system as the power cut has left it.
func (r *rig) restart() {
	r.t.Helper()
	r.detach()
	if r.clones {
		if err := os.Rename(r.image+".cut", r.image); err != nil {
			r.t.Fatal(err)
		}
	}
	// The kernel may not have released the image yet.
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := r.attach()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// mounted returns the directory of a new file system.
func mounted(t *testing.T, system string) string {
	t.Helper()
	if system != "tmpfs" {
		return newRig(t, system).mount
	}
	if os.Getuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { (&rig{t: t, mount: dir}).detach() })
	return dir
}
