// The judgement of facts: it finds each way to be unfit, and calls no fit directory unfit.

package verify

import (
	"strings"
	"testing"
	"time"
)

func goodFacts() Facts {
	return Facts{
		Dir: "state", System: "linux", FileSystem: "ext4",
		LockExcludes: true, LockExcludesOthers: true, LockFreed: true,
		NoReplace: "native", Exchange: true, HardLinks: true, Generation: true,
		TimeStep: 1, ClockStep: 40, WriteStep: 4_000_000, Mtime: true,
		FlushFile: time.Millisecond, FlushDir: time.Millisecond,
	}
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(f *Facts)
		finding string // the finding that is not ok; empty: all are ok
		state   State
		text    string
	}{
		{"good", func(*Facts) {}, "", OK, ""},
		{"network", func(f *Facts) { f.FileSystem, f.Network = "nfs", "nfs" }, "file system", Bad, "--allow-network"},
		{"in memory", func(f *Facts) { f.FileSystem = "tmpfs" }, "file system", Note, "nothing survives"},
		{"fuse", func(f *Facts) { f.FileSystem = "fuse" }, "file system", Note, "known to be local"},
		{"overlay", func(f *Facts) { f.FileSystem = "overlay" }, "file system", Note, "container"},
		{"read-only", func(f *Facts) { f.ReplaceError = "read-only file system" }, "create and replace", Bad, "read-only file system"},
		{"no locks", func(f *Facts) { f.LockError = "function not implemented" }, "locks", Bad, "do not work here"},
		{"locks given twice", func(f *Facts) { f.LockExcludes = false }, "locks", Bad, "given twice"},
		{"locks of one process", func(f *Facts) { f.LockExcludesOthers = false }, "locks", Bad, "another process"},
		{"locks that stay", func(f *Facts) { f.LockFreed = false }, "locks", Bad, "wait for ever"},
		{"no other process", func(f *Facts) { f.LockExcludesOthers, f.OtherError = false, "too many" }, "locks", Note, "could not be asked: too many"},
		{"no creation", func(f *Facts) { f.NoReplace, f.NoReplaceError = "none", "no hard links" }, "create only once", Bad, "no hard links"},
		{"creation that replaces", func(f *Facts) { f.NoReplaceError = "did" }, "create only once", Bad, "did"},
		{"creation by link", func(f *Facts) { f.NoReplace = "link" }, "", OK, ""},
		{"no exchange", func(f *Facts) { f.Exchange = false }, "exchange", Note, "takes no lock"},
		{"no links", func(f *Facts) { f.HardLinks = false }, "hard links", Note, "not needed"},
		{"no generation", func(f *Facts) { f.Generation = false }, "inode generation", Note, "without it"},
		{"coarse times", func(f *Facts) { f.Mtime, f.MtimeError = false, "too coarse" }, "versions by time", Note, "too coarse"},
		{"no flush", func(f *Facts) { f.FlushError = "input/output error" }, "flush", Bad, "input/output error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := goodFacts()
			test.change(&facts)
			findings := Judge(facts, false)
			for _, f := range findings {
				switch {
				case f.Name != test.finding && f.State != OK:
					t.Errorf("%s is %s: %s", f.Name, f.State, f.Text)
				case f.Name == test.finding &&
					(f.State != test.state || !strings.Contains(f.Text, test.text)):
					t.Errorf("%s is %s, want %s: %s", f.Name, f.State, test.state, f.Text)
				}
			}
			if Fit(findings) != (test.state != Bad) {
				t.Errorf("fit is %v", Fit(findings))
			}
		})
	}
}

func TestJudgeAllowsNetwork(t *testing.T) {
	facts := goodFacts()
	facts.FileSystem, facts.Network = "nfs", "nfs"
	if findings := Judge(facts, true); !Fit(findings) || findings[0].State != Note {
		t.Errorf("a network file system that is allowed is not fit: %v", findings[0])
	}
}

// The text on power cuts claims no test that was not made.
func TestPowerCuts(t *testing.T) {
	for kind, want := range map[string]string{
		"ext4": "this is ext4", "xfs": "this is xfs", "tmpfs": "takes everything", "overlay": "upper directory",
		"zfs": "not on zfs", "": "unknown",
	} {
		if text := PowerCuts(kind); !strings.HasPrefix(text, "Not tested: power cuts.") ||
			!strings.Contains(text, want) {
			t.Errorf("%s: %s", kind, text)
		}
	}
}
