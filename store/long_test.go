package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/names"
)

// TestLongNames: a document may have any name that the file system allows.
func TestLongNames(t *testing.T) {
	long := map[string]string{
		"213": strings.Repeat("x", 213), "214": strings.Repeat("x", 214),
		"254": strings.Repeat("x", 249) + ".json", "255": strings.Repeat("x", 255),
		"text": strings.Repeat("語", 85),
	}
	for name, base := range long {
		for _, opts := range []Options{
			{}, {Locking: true, Versions: VersionMtime}, {GuardForeign: true},
		} {
			t.Run(fmt.Sprintf("%s/%v,%v", name, opts.Locking, opts.GuardForeign),
				func(t *testing.T) {
					if opts.GuardForeign {
						needsExchange(t)
					}
					dir := t.TempDir()
					path := filepath.Join(dir, base)
					// What dead writers left, in the row and beside it; also beside another
					// document.
					other := filepath.Join(dir, base[:len(base)-1]+"y")
					litter := []string{names.Place(path, 3), names.Random(path, 5)}
					for _, left := range append(litter, names.Place(other, 3)) {
						if err := os.WriteFile(left, []byte("0"), 0o600); err != nil {
							t.Fatal(err)
						}
					}
					ctx, doc := t.Context(), open(t, path, opts)
					version, err := doc.Create(ctx, []byte("1"))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := os.Lstat(litter[0]); err == nil {
						t.Error("the writer has not swept its row")
					}
					if removed, left, err := doc.Sweep(ctx); err != nil || len(left) > 0 ||
						len(removed) != 1 || removed[0] != filepath.Base(litter[1]) {
						t.Errorf("swept %q, left %q (%v)", removed, left, err)
					}
					if version, err = doc.Expect(version).Update(ctx, increment); err != nil {
						t.Error(err)
					}
					info, err := doc.Inspect(ctx)
					if err != nil || info.Locked || len(info.Orphans)+len(info.Left) > 0 {
						t.Errorf("inspected %+v (%v)", info, err)
					}
					if data, _, err := doc.Read(ctx); string(data) != "2" {
						t.Errorf("read %q (%v)", data, err)
					}
					if err := doc.CompareAndDelete(ctx, version); err != nil {
						t.Error(err)
					}
					if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
						t.Errorf("the directory has %v (%v)", entries, err)
					}
				})
		}
	}
}

// TestLongNamesAreReserved: the files beside a long name are no documents either.
func TestLongNamesAreReserved(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 255))
	for _, own := range []string{names.Lock(path), names.Intent(path), names.Place(path, 0)} {
		if _, err := OpenFile(own, nil); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", own, err)
		}
	}
}
