// The judgement of the facts about a directory: whether it is fit, why not, and the remedy.

package verify

import (
	"fmt"
	"strings"
	"time"
)

// State is the grade of a finding.
type State string

const (
	OK   State = "ok"   // no limitation
	Note State = "note" // a limitation; the directory is fit all the same
	Bad  State = "bad"  // the directory is not fit
)

// Finding is one result of a judgement.
type Finding struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Text  string `json:"text"`
}

// Fit reports whether no finding is bad.
func Fit(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Bad {
			return false
		}
	}
	return true
}

// The flush sequences that make an update durable.
const (
	portableOrder = "portable: flush the new file, rename, flush the directory"
	journalOrder  = "journal: put the content on the device, rename, flush the file, " +
		"which commits the journal"
)

// DurabilityOrder returns the default flush sequence of a directory.
func (f Facts) DurabilityOrder() string {
	switch {
	case f.OneJournal:
		return journalOrder
	case f.System == "windows":
		return "portable, without a flush of the directory: windows has none"
	}
	return portableOrder
}

// powerCuts are the file systems that proptest/powercut has tested on Linux: with the flush
// sequence that is used there, no power cut broke a promise.
var powerCuts = []string{"ext4", "xfs", "btrfs"}

// PowerCuts says what is known about power cuts on a file system. No running system can test them.
func PowerCuts(fileSystem string) string {
	text := "Not tested: power cuts. Only a power cut shows whether the disk keeps what " +
		"was flushed. The flush sequence was tested by power cuts of disk images on Linux, " +
		"and held, for " +
		strings.Join(powerCuts, ", ")
	for _, proved := range powerCuts {
		if fileSystem == proved {
			return text + "; this is " + fileSystem + "."
		}
	}
	switch fileSystem {
	case "tmpfs", "ramfs":
		return text + ". This is " + fileSystem + ", in memory: a power cut takes everything."
	case "overlay":
		return text + ". This is overlay: it depends on the file system of its upper directory, " +
			"and must not be mounted volatile."
	case "":
		return text + "; the type of this file system is unknown."
	}
	return text + ", not on " + fileSystem + "."
}

// Judge judges facts. A network file system is bad unless it is allowed.
func Judge(f Facts, allowNetwork bool) []Finding {
	var found []Finding
	add := func(name string, state State, format string, args ...any) {
		found = append(found, Finding{name, state, fmt.Sprintf(format, args...)})
	}
	kind := f.FileSystem
	if kind == "" {
		kind = "unknown type"
	}
	switch {
	case f.Network != "" && allowNetwork:
		add("file system", Note, "%s, not known to be local (%s), at your own risk: "+
			"a test on one machine does not see what other machines do", kind, f.Network)
	case f.Network != "":
		add("file system", Bad, "%s, not known to be local (%s): locks and renames are not proved "+
			"on it, and jsonstore refuses it; use a local directory, or --allow-network at your "+
			"own risk", kind, f.Network)
	case kind == "fuse":
		add("file system", Note, "fuse, of a type that is known to be local; "+
			"power cuts were not tested on it")
	case kind == "vfat" || kind == "exfat":
		add("file system", Note, "%s, local, without a journal: "+
			"a power cut during a rename can lose the document", kind)
	case kind == "tmpfs" || kind == "ramfs":
		add("file system", Note, "%s, local, in memory: nothing survives a power cut or a restart",
			kind)
	case kind == "overlay":
		add("file system", Note, "overlay, local: the files of a container often end with it; "+
			"use a volume to keep them")
	default:
		add("file system", OK, "%s, local", kind)
	}
	if f.ReplaceError != "" {
		add("create and replace", Bad, "an update creates a file beside the document and renames "+
			"it, which fails here: %s; check the permissions of the directory, and whether the "+
			"file system is full or read-only", f.ReplaceError)
		return found
	}
	add("create and replace", OK, "files can be created, replaced and removed")
	judgeLocks(f, add)
	switch {
	case f.NoReplaceError != "" || f.NoReplace == "none":
		add("create only once", Bad,
			"creating a document needs a rename that does not replace, or "+
				"hard links; neither works here (%s); use another file system", f.NoReplaceError)
	case f.NoReplace == "native":
		add("create only once", OK, "by an atomic rename that does not replace")
	default:
		add("create only once", OK, "by link and unlink: there is no rename that does not replace "+
			"here; a crash between the two leaves a second name")
	}
	if f.Exchange {
		add("exchange", OK, "two names can be exchanged atomically")
	} else {
		add("exchange", Note, "two names cannot be exchanged atomically: --guard, which keeps the "+
			"versions of a program that takes no lock, is refused here; nothing else needs it")
	}
	if f.HardLinks {
		add("hard links", OK, "work")
	} else {
		add("hard links", Note, "do not work; not needed")
	}
	judgeTimes(f, add)
	switch {
	case f.FlushError != "":
		add("flush", Bad, "fails: %s; no update would be durable; use another directory, "+
			"or --sync volatile for documents that may be lost", f.FlushError)
	case f.System == "windows":
		add("flush", OK, "a file in %v; windows cannot flush directories: "+
			"the durability of names is up to the file system", round(f.FlushFile))
	default:
		add("flush", OK, "a file in %v, the directory in %v", round(f.FlushFile), round(f.FlushDir))
	}
	switch {
	case f.OneJournal:
		add("durability order", OK, "%s", journalOrder)
	case f.FileSystem == "ext4":
		add("durability order", OK, "%s; this ext4 has no journal, or mount options for which "+
			"the faster sequence is not proved", portableOrder)
	default:
		add("durability order", OK, "%s", f.DurabilityOrder())
	}
	return found
}

type adder func(name string, state State, format string, args ...any)

func judgeLocks(f Facts, add adder) {
	const remedy = "two writers could change a document at once, and one update would be lost; " +
		"use another directory"
	switch {
	case f.LockError != "":
		add("locks", Bad, "file locks do not work here: %s; %s", f.LockError, remedy)
	case !f.LockExcludes:
		add("locks", Bad, "a file lock was given twice; %s", remedy)
	case !f.LockFreed:
		add("locks", Bad, "a file lock stayed after its release: writers would wait for ever; "+
			"use another directory")
	case f.OtherError != "":
		add("locks", Note, "exclude within a process; another process could not be asked: %s",
			f.OtherError)
	case !f.LockExcludesOthers:
		add("locks", Bad, "a file lock does not exclude another process; %s", remedy)
	default:
		add("locks", OK, "file locks exclude, also between processes")
	}
}

func judgeTimes(f Facts, add adder) {
	write := "more than " + writesLooked.String() + " apart"
	if f.WriteStep > 0 {
		write = "down to " + duration(f.WriteStep) + " apart"
	}
	add("times", OK, "stored in steps of %s; steps of the clock: %s; of the times of writes: %s",
		duration(f.TimeStep), duration(f.ClockStep), write)
	if f.Generation {
		add("inode generation", OK, "available")
	} else {
		add("inode generation", Note, "unavailable; versions by time work without it")
	}
	switch {
	case f.Mtime && f.WriteStep > 0 && f.WriteStep < int64(time.Millisecond):
		add("versions by time", OK, "can be used (--mode mtime)")
	case f.Mtime:
		add("versions by time", OK, "can be used (--mode mtime); --mode auto uses the hash, "+
			"since two writes in a row may get the same time")
	default:
		add("versions by time", Note,
			"are refused (--mode mtime): %s; the default, --mode hash, works",
			f.MtimeError)
	}
}

func duration(ns int64) string { return time.Duration(ns).String() }

func round(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}
