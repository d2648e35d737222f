package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// TestReadsWhileTheClockTicks: a handle that keeps what it has read, programs that replace the
// document with others of the same length, and a clock that goes on at any moment. A
// read returns what was there when it began, or later.
func TestReadsWhileTheClockTicks(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	kept := 0
	for name, step := range map[string]time.Duration{"1ns": 1, "4ms": 4 * time.Millisecond} {
		for _, versions := range []VersionMode{VersionHash, VersionMtime} {
			if versions == VersionMtime && step > 1 {
				continue // which is refused
			}
			t.Run(fmt.Sprint(versions, " ", name), func(t *testing.T) {
				e := simfs.Explorer{Setup: func(w *simfs.World) func() error {
					return whileItTicks(w, Options{Versions: versions, Durability: Volatile},
						step, &kept)
				}}
				if err := e.Run(); err != nil {
					t.Error(err)
				}
				t.Logf("%d states, %d runs", e.States, e.Runs)
			})
		}
	}
	if kept == 0 {
		t.Error("nothing that was kept was ever returned: this test does not see what it should")
	}
}

func whileItTicks(
	w *simfs.World, opts Options, step time.Duration, kept *int,
) (check func() error) {
	s := scenario{step: step, start: `["0"]`}
	s.prepare(w)
	quiet := w.Quiet
	w.Quiet = func(op, name string) bool { return name == foreignTemp || quiet(op, name) }
	versions := []string{s.start}
	w.OnPublish = func(_ *simfs.Process, _ string, _, new []byte) error {
		versions = append(versions, string(new))
		return nil
	}
	w.Go("clock", func(files fsys.FS) error { return files.(*simfs.Process).Tick(ofCoarseAge) })
	w.Go("foreign", func(files fsys.FS) error {
		for i := range 3 {
			file, err := files.Open(foreignTemp, fsys.OpenNew, 0o600)
			if err == nil {
				_, err = fmt.Fprintf(file, `["%d"]`, i+1)
				file.Close()
			}
			if err == nil {
				err = files.Rename(foreignTemp, simulated, fsys.Replace)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.opened(w, "reader", opts, func(doc *Doc) error {
		var last []byte
		for range 3 {
			began := len(versions) - 1
			data, _, err := doc.Read(context.Background())
			if err != nil {
				return err
			}
			if at := slices.Index(versions, string(data)); at < began {
				return fmt.Errorf("read %s, which was out of date: %q", data, versions[at:])
			}
			if last != nil && &data[0] == &last[0] {
				*kept++
			}
			last = data
		}
		return nil
	})
	return func() error { return nil }
}
