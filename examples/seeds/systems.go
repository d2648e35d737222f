//go:build unix

// The systems, in the order of the table in docs/seeds.md.

package main

import (
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// patience is how long one waits for a lock by hand. For one of ours it is always waits: one that
// stays locked is as bad after any time, and on a busy machine one of ours may take some seconds.
const patience = 2 * time.Second

// four and others are loads that several systems share.
var (
	four   = counting{processes: 4, goroutines: 1, end: stopped}
	dying  = excluding{processes: 8, goroutines: 1, holder: true, patience: patience}
	stolen = excluding{processes: 8, goroutines: 1, holder: true, patience: waits}
)

var systems = []system{
	dying.exclude("FileLock", "a holder is killed beside 8 waiting processes",
		fileLock, "`Doc.Update` with `Locking`", documentLock),
	dying.exclude("RobustFileLock", "a holder is killed beside 8 waiting processes",
		robustFileLock, "`Doc.Update` with `Locking`", documentLock),
	counting{processes: 4, goroutines: 4, end: stopped}.count(
		"FileAccessQueue", "4 processes, 4 goroutines each", accessQueue, "`Doc.Add`", docAdd),
	sharing{readers: 8, patience: patience}.share("ReadWriteLock", "8 reading processes, 1 writes",
		readWriteLock, "`Doc.Read`, `Doc.Update`", readAndUpdate),
	sharing{kill: true, patience: patience}.share("ReadWriteLock", "a reader is killed, 1 writes",
		readWriteLock, "`Doc.Read`, `Doc.Update`", readAndUpdate),
	transferring{processes: 2}.transfer("FileTransaction", "2 processes, killed",
		openFileTransaction, "`DB.Transact`, `DB.View`", openStoreBank),
	logging{processes: 4, large: 20_000}.log("LockedLogFile", "4 processes, killed",
		lockedLogFile, "`Journal.Append`", journalAppend),
	four.count("OptimisticJSONStore", "4 processes", optimisticJSON, "`Doc.CompareAndSwap`",
		docSwap),
	four.count("MTimeJSONStore", "4 processes", mtimeJSON(false),
		"`Doc.Add` with `VersionMtime`", docAddWith(&store.Options{Versions: store.VersionMtime})),
	four.count("MTimeJSONStore", "4 processes, a lock around the comparison", mtimeJSON(true),
		"`Doc.Add` with `VersionMtime`", docAddWith(&store.Options{Versions: store.VersionMtime})),
	counting{processes: 4, goroutines: 1, end: killed, reader: true}.count(
		"LockedJSONStore", "4 processes, killed, and a reader", lockedJSON, "`Doc.Add`", docAdd),
	four.count("LockedJSONStore", "4 processes, with a rename", lockedRenamed, "`Doc.Add`", docAdd),
	filling{processes: 4}.fill("MultiFileStore", "4 processes, killed", multiFile,
		"`DB.Transact`", storeFill),
	logging{processes: 4, large: 1 << 20, numbers: true}.log("AppendOnlyLog",
		"4 processes, killed", appendOnlyLog, "`Journal.Append`", journalAppend),
	counting{processes: 1, goroutines: 1, end: killed}.count(
		"SnapshotStore", "1 process, killed", snapshots, "`Doc.Add`", docAdd),
	excluding{processes: 2, goroutines: 4, patience: waits}.exclude("fcntl with timeout",
		"2 processes, 4 goroutines each", fcntlLock, "`Doc.Update` with `Locking`", documentLock),
	stolen.exclude("VFS lockfile", "a holder is killed beside 8 waiting processes", vfsLocks,
		"`lease.With`", leaseLocks),
	own("VFS lockfile", "a holder is stopped for longer than the TTL", vfsOwner,
		"`lease.With`, `Lease.Guard`", leaseOwner),
	stolen.exclude("journal lock with steal", "a holder is killed beside 8 waiting processes",
		stealingLocks, "`lease.With`", leaseLocks),
	own("journal lock with steal", "a holder is stopped for longer than the TTL", stealOwner,
		"`Journal.Append`", journalOwner),
}
