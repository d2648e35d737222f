package store

import (
	"testing"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/drivertest"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

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
