// What the facts about a directory mean: whether it is fit, why not, and what to do.

package verify

import (
	"fmt"
	"strings"
	"time"
)

// State is how good a finding is.
type State string

const (
	OK   State = "ok"   // as it should be
	Note State = "note" // good to know; the directory is fit all the same
	Bad  State = "bad"  // the directory is not fit
)

// Finding is one line of what was found.
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

// The orders of flushes by which an update reaches the disk.
const (
	portableOrder = "portable: flush the new file, rename, flush the directory"
	journalOrder  = "journal: put the content on the device, rename, flush the file, which commits the journal"
)

// DurabilityOrder is how an update reaches the disk, unless the user says otherwise.
func (f Facts) DurabilityOrder() string {
	switch {
	case f.OneJournal:
		return journalOrder
	case f.System == "windows":
		return "portable, without the flush of the directory, which windows does not have"
	}
	return portableOrder
}

// powerCuts are the file systems on which proptest/powercut has cut the power, on Linux, with the order that is
// used there, and found that it kept what it promises.
var powerCuts = []string{"ext4", "xfs", "btrfs"}

// PowerCuts says what is known of power cuts on a file system, since no running system can be asked.
func PowerCuts(fileSystem string) string {
	text := "Not tested: power cuts. Whether the disk keeps what it says it has flushed can only be seen by cutting the power. " +
		"The order of flushes that is used was put to that, and held, on disk images of " + strings.Join(powerCuts, ", ") + " on Linux"
	for _, proved := range powerCuts {
		if fileSystem == proved {
			return text + "; this is " + fileSystem + "."
		}
	}
	switch fileSystem {
	case "tmpfs", "ramfs":
		return text + ". This is " + fileSystem + ", which is in memory: a power cut takes everything."
	case "overlay":
		return text + ". This is overlay: what counts is the file system beneath its upper directory, and that it is not mounted volatile."
	case "":
		return text + ", which this may be or not."
	}
	return text + ", not on " + fileSystem + "."
}

// Judge says what facts mean. Network file systems are bad unless they are allowed.
func Judge(f Facts, allowNetwork bool) []Finding {
	var found []Finding
	add := func(name string, state State, format string, args ...any) {
		found = append(found, Finding{name, state, fmt.Sprintf(format, args...)})
	}
	kind := f.FileSystem
	if kind == "" {
		kind = "of a type that the system does not tell"
	}
	switch {
	case f.Network != "" && allowNetwork:
		add("file system", Note, "%s, which is not known to be local (%s), at your own risk: what other machines do to it cannot be seen from one", kind, f.Network)
	case f.Network != "":
		add("file system", Bad, "%s, which is not known to be local (%s): its locks and names are not proved, and jsonstore refuses it; "+
			"use a local directory, or say --allow-network at your own risk", kind, f.Network)
	case kind == "fuse":
		add("file system", Note, "fuse, of a type that is known to be local; what it promises about power cuts is not proved")
	case kind == "vfat" || kind == "exfat":
		add("file system", Note, "%s, local, without a journal: a power cut in the midst of a rename can lose the document", kind)
	case kind == "tmpfs" || kind == "ramfs":
		add("file system", Note, "%s, local, in memory: nothing survives a power cut or a restart", kind)
	case kind == "overlay":
		add("file system", Note, "overlay, local: in a container, what is here often goes with it; a volume stays")
	default:
		add("file system", OK, "%s, local", kind)
	}
	if f.ReplaceError != "" {
		add("create and replace", Bad, "a document is changed by making a file beside it and renaming that, which does not work here: %s; "+
			"see who may write to the directory, and whether it is mounted read-only or full", f.ReplaceError)
		return found
	}
	add("create and replace", OK, "files can be made, replaced and removed")
	judgeLocks(f, add)
	switch {
	case f.NoReplaceError != "" || f.NoReplace == "none":
		add("create only once", Bad, "a new document needs a rename that does not replace, or hard links, and neither works here (%s); "+
			"use another file system", f.NoReplaceError)
	case f.NoReplace == "native":
		add("create only once", OK, "by an atomic rename that does not replace")
	default:
		add("create only once", OK, "by link and unlink: this system or file system has no rename that does not replace; "+
			"a crash between the two leaves a second name")
	}
	if f.Exchange {
		add("exchange", OK, "two names can be exchanged in one step")
	} else {
		add("exchange", Note, "two names cannot be exchanged in one step: not needed, but --guard is refused here, which keeps what a "+
			"program that takes no lock renames into place")
	}
	if f.HardLinks {
		add("hard links", OK, "work")
	} else {
		add("hard links", Note, "do not work; not needed")
	}
	judgeTimes(f, add)
	switch {
	case f.FlushError != "":
		add("flush", Bad, "does not work: %s; nothing would be durable: use --sync volatile for what can be lost, or another directory", f.FlushError)
	case f.System == "windows":
		add("flush", OK, "a file in %v; directories cannot be flushed on windows: their names are the file system's care", round(f.FlushFile))
	default:
		add("flush", OK, "a file in %v, the directory in %v", round(f.FlushFile), round(f.FlushDir))
	}
	switch {
	case f.OneJournal:
		add("durability order", OK, "%s", journalOrder)
	case f.FileSystem == "ext4":
		add("durability order", OK, "%s; this ext4 has no journal, or is mounted in a way for which a faster order is not proved", portableOrder)
	default:
		add("durability order", OK, "%s", f.DurabilityOrder())
	}
	return found
}

type adder func(name string, state State, format string, args ...any)

func judgeLocks(f Facts, add adder) {
	const remedy = "two writers could change a document at once and one of them lose its update: use another directory"
	switch {
	case f.LockError != "":
		add("locks", Bad, "the kernel's file locks do not work here: %s; %s", f.LockError, remedy)
	case !f.LockExcludes:
		add("locks", Bad, "the kernel's lock on a file was given twice; %s", remedy)
	case !f.LockFreed:
		add("locks", Bad, "the kernel's lock on a file stayed when it was given back: writers would wait for ever; use another directory")
	case f.OtherError != "":
		add("locks", Note, "exclude within a process; another process could not be asked: %s", f.OtherError)
	case !f.LockExcludesOthers:
		add("locks", Bad, "the kernel's lock on a file does not exclude another process; %s", remedy)
	default:
		add("locks", OK, "the kernel's file locks exclude, from other processes too")
	}
}

func judgeTimes(f Facts, add adder) {
	write := "more than " + writesLooked.String() + " apart"
	if f.WriteStep > 0 {
		write = "down to " + duration(f.WriteStep) + " apart"
	}
	add("times", OK, "kept in steps of %s; the clock's steps are %s; the kernel's own, on writes, %s",
		duration(f.TimeStep), duration(f.ClockStep), write)
	if f.Generation {
		add("inode generation", OK, "told by the system")
	} else {
		add("inode generation", Note, "not told; versions by time do without it")
	}
	switch {
	case f.Mtime && f.WriteStep > 0 && f.WriteStep < int64(time.Millisecond):
		add("versions by time", OK, "can be used (--mode mtime)")
	case f.Mtime:
		add("versions by time", OK, "can be used (--mode mtime); --mode auto takes the hash, since a file's time stands still between writes")
	default:
		add("versions by time", Note, "are refused (--mode mtime), since %s; the default, --mode hash, works", f.MtimeError)
	}
}

func duration(ns int64) string { return time.Duration(ns).String() }

func round(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}
