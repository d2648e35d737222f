package fsys

import "testing"

// TestOneJournal: tmpfs has no journal. The test logs whether the file system of the
// temporary directory has one.
func TestOneJournal(t *testing.T) {
	files := New()
	kind, err := files.Type("/dev/shm")
	if err == nil && kind == "tmpfs" && files.OneJournal("/dev/shm") {
		t.Error("tmpfs is taken for a file system with a journal")
	}
	dir := t.TempDir()
	kind, err = files.Type(dir)
	t.Logf("%s: %s, %v, one journal: %v", dir, kind, err, files.OneJournal(dir))
	if one := files.OneJournal(dir); one && kind != "ext4" {
		t.Errorf("%s is taken for a file system with one journal", kind)
	}
}

func TestFastCommits(t *testing.T) {
	for counts, want := range map[string]bool{
		"": false,
		"fc stats:\n0 commits\n0 ineligible\n0 numblks\n0us avg_commit_time\n": false,
		"fc stats:\n3 commits\n0 ineligible\n4 numblks\n":                      true,
		"fc stats:\n0 commits\n1 ineligible\n":                                 true,
	} {
		if got := hasFastCommits(counts); got != want {
			t.Errorf("%q: %v, want %v", counts, got, want)
		}
	}
}

func TestTrustedJournal(t *testing.T) {
	for options, want := range map[string]bool{
		"rw\nbarrier\nauto_da_alloc\ndata=ordered\n":           true,
		"rw\nbarrier\ndata=ordered\ncommit=30\nerrors=panic\n": true,
		"rw\nbarrier\ndata=writeback\n":                        false,
		"rw\nbarrier\ndata=journal\n":                          false,
		"rw\nnobarrier\ndata=ordered\n":                        false,
		"rw\nbarrier\njournal_async_commit\ndata=ordered\n":    false,
		"rw\nbarrier\nfc_debug_force\ndata=ordered\n":          false,
		"": false,
	} {
		if got := trustedJournal(options); got != want {
			t.Errorf("%q: %v, want %v", options, got, want)
		}
	}
}
