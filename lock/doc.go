// Package lock takes kernel locks on files, exclusive and shared, with a context. They are the
// locks of package store: a program that holds the lock of a document excludes its writers,
// and so does "flock FILE command".
//
//	l, err := lock.OpenDocument("settings.json", nil)
//	...
//	unlock, err := l.Lock(ctx)
//	if err != nil {
//		return err
//	}
//	defer unlock()
//
// # Basics
//
// [OpenDocument] is for the lock of a document or a journal: a file beside it, which the
// lock makes. [Open] is for the lock on any file. [Lock.Lock] takes an exclusive lock,
// [Lock.LockShared] one that others may share; both return the function that releases it.
// Readers of a document need no lock: they always see one whole version.
//
// # Promises
//
//   - An exclusive lock has one holder in all processes, and no shared lock is held meanwhile.
//   - The kernel releases the locks of a process that ends, however it ends. Nothing is stolen
//     and no lock goes stale.
//   - The callers of one [Lock] get it in the order in which they came, except that those who
//     want a shared lock share it. Who asks for a shared one waits for those that came before
//     and wait for an exclusive one.
//   - Between processes, shared locks do not starve an exclusive one. When it waits it waits
//     for the shared locks that are held then, and not for new ones. A second file, the gate,
//     sees to that; docs/locks.md has its bound.
//   - A caller whose context ends returns at once. It then has no lock.
//   - The file may be deleted by a program that holds its lock: each locking compares the
//     locked file with the one that has the name.
//
// # Within a command
//
// A process that "jsonstore lock FILE -- command" has started, directly or through scripts,
// has the lock of FILE already. Locks of this package and of stores know that, and do not wait
// for it; they exclude each other as ever. What proves it is an open file that the process has
// inherited. Where a shared lock was lent and an exclusive one is asked for, the error is
// [ErrUpgrade].
//
// # Limits
//
//   - The locks are advisory: they exclude only those that ask for them.
//   - A lock that is held is not to be asked for again by the same goroutine, not even a shared
//     one: it may wait for somebody that waits for the first.
//   - Deleting a lock file without its lock takes the lock from its holder.
//   - Two Locks on one file exclude each other, in one process too, but their callers do not
//     stand in one queue.
//   - flock works between machines only where the file system says so: recent NFS does, and
//     others lock for each machine alone.
//   - Windows has mandatory locks, on a byte far behind the end of the file, and only
//     programs that lock that byte are excluded.
package lock
