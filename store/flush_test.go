package store

import (
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
)

// ticking is a file system with a clock of its own.
type ticking struct {
	fsys.FS
	now     int64
	journal map[string]bool // by directory
	asked   int
}

func (f *ticking) Now() int64 { return f.now }

func (f *ticking) OneJournal(dir string) bool {
	f.asked++
	return f.journal[dir]
}

// TestFlushOrderIsOfTheDevice: another file system mounted at the same place is flushed in
// its own order; one that is mounted again with other options, in that of those soon.
func TestFlushOrderIsOfTheDevice(t *testing.T) {
	files := &ticking{now: 1, journal: map[string]bool{"dir": true}}
	d := &fileDriver{files: files, opts: &Options{}, shared: &fileShared{}}
	for range 2 {
		if d.flushOrder("dir/doc", 1) != JournalOrder || files.asked != 1 {
			t.Errorf("asked %d times", files.asked)
		}
	}
	files.journal["dir"] = false
	if d.flushOrder("dir/doc", 2) == JournalOrder {
		t.Error("another device has the order of the one before it")
	}
	files.now += int64(time.Second)
	if d.flushOrder("dir/doc", 1) == JournalOrder {
		t.Error("it is not looked at again")
	}
}
