package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/drivertest"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// needsSlashes skips what the simulator runs: its paths have slashes. What it shows is of the
// same code on all systems.
func needsSlashes(t *testing.T) {
	t.Helper()
	if filepath.Separator != '/' {
		t.Skip("the simulator has paths with slashes")
	}
}

// needsPaths skips where the names that a handle has are not those of the whole system.
func needsPaths(t *testing.T) {
	t.Helper()
	files, name, err := fsys.ForFile(filepath.Join(t.TempDir(), "doc.json"))
	if err != nil {
		t.Fatal(err)
	}
	files.Close()
	if !filepath.IsAbs(name) {
		t.Skip("the file system of a document is its directory here")
	}
}

// needsLinks skips where this user cannot make symbolic links.
func needsLinks(t *testing.T) {
	t.Helper()
	link := filepath.Join(t.TempDir(), "link")
	err := os.Symlink("nowhere", link)
	if info, lstatErr := os.Lstat(link); err != nil || lstatErr != nil ||
		info.Mode()&fs.ModeSymlink == 0 {
		t.Skipf("there are no symbolic links here, or not for this user: %v, %v", err, lstatErr)
	}
}

// needsExchange skips where two names cannot be exchanged.
func needsExchange(t *testing.T) {
	t.Helper()
	dir, files := t.TempDir(), fsys.New()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	err := errors.Join(os.WriteFile(a, nil, 0o600), os.WriteFile(b, nil, 0o600))
	if err == nil {
		err = files.Rename(a, b, fsys.Exchange)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("two names cannot be exchanged here")
	} else if err != nil {
		t.Fatal(err)
	}
}

// needsModes skips where files have no modes.
func needsModes(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes here")
	}
}

// needsChangeTimes skips where no file has a time of its last change, and no handle keeps what
// it has read.
func needsChangeTimes(t *testing.T) {
	t.Helper()
	if info, err := fsys.New().Lstat(t.TempDir()); err != nil || info.Ctime == 0 {
		t.Skipf("no file has a time of its last change here (%v)", err)
	}
}

// everyMode runs a test for each kind of version, optimistic and locking.
func everyMode(t *testing.T, run func(t *testing.T, opts Options)) {
	for _, mode := range []VersionMode{VersionHash, VersionMtime, VersionAuto} {
		for _, locking := range []bool{false, true} {
			name := mode.String()
			if locking {
				name += " locking"
			}
			t.Run(name, func(t *testing.T) {
				run(t,
					Options{Versions: mode, Locking: locking, Durability: Volatile})
			})
		}
	}
}

func TestFileDriverConformance(t *testing.T) {
	everyMode(t, func(t *testing.T, opts Options) {
		drivertest.Run(t, func(t *testing.T) driver.Driver {
			files, err := fsys.Beneath(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			full, err := opts.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			drv, err := newFileDriver(files, "", &full, &counters{})
			if err != nil {
				t.Fatal(err)
			}
			return drv
		})
	})
}
