package fsys

import "testing"

// TestOneJournal: tmpfs has no journal; whether the temporary directory's file system has one is told.
func TestOneJournal(t *testing.T) {
	files := New()
	if kind, err := files.Type("/dev/shm"); err == nil && kind == "tmpfs" && files.OneJournal("/dev/shm") {
		t.Error("tmpfs is taken for a file system with a journal")
	}
	dir := t.TempDir()
	kind, err := files.Type(dir)
	t.Logf("%s: %s, %v, one journal: %v", dir, kind, err, files.OneJournal(dir))
	if one := files.OneJournal(dir); one && kind != "ext4" {
		t.Errorf("%s is taken for a file system with one journal", kind)
	}
}

func TestWeakened(t *testing.T) {
	for options, want := range map[string]bool{
		"rw":                           false,
		"rw,errors=remount-ro":         false,
		"rw,discard,commit=30":         false,
		"rw,data=writeback":            true,
		"rw,nobarrier,data=ordered":    true,
		"rw,journal_async_commit":      true,
		"rw,data=journal,errors=panic": true,
	} {
		if got := weakened(options); got != want {
			t.Errorf("%s: %v, want %v", options, got, want)
		}
	}
}
