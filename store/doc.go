// Package store keeps JSON documents in plain files that several goroutines, processes
// and programs change at once, without losing an update.
//
// # Basics
//
// A document ([Doc]) is one JSON value in one file. [OpenFile] opens one, [Open] a
// directory of them, where each has a key ([DB.Doc]). [Doc.Read] returns a document's
// bytes and their [Version], a token that stands for exactly this state of it.
// [Doc.CompareAndSwap] replaces the document only if its version is still the one that
// was read. Whoever comes too late gets [ErrConflict] and has changed nothing.
// [Doc.Update] is the loop around the two: read, apply a function, compare-and-swap,
// and again on the new content if somebody was faster. [Doc.Expect] makes any update one
// that is made at a given version only.
//
//	doc, err := store.OpenFile("counter.json", nil)
//	...
//	_, _, err = doc.Add(ctx, "hits", 1)
//
// Edits by path ([Doc.Set], [Doc.Add], [Doc.Append], [Doc.Unset]), patches
// ([Doc.MergePatch], [Doc.JSONPatch]) and the typed [Update] change what they say and
// leave every other byte as it is: the order of keys, white space, the spelling of
// numbers, members that a Go type does not know.
//
// # Promises
//
//   - No lost update: an update that returned without error is in the document, or a
//     later one that saw it is.
//   - Never torn: every reader, also one that never heard of this package, sees one
//     whole version.
//   - Durable: when a write returns, a power cut keeps it; [Options.Durability] can ask
//     for less.
//   - Progress: an update that lost takes the document's lock for its next try.
//   - A process may die at any instant: the document is the old or the new version, no
//     lock stays, and the next writer sweeps the temporary file that was left. Of more
//     than eight writers that die at once, Doc.Sweep removes the others'.
//
// # Limits
//
// Know these before you rely on it:
//
//   - A foreign program that does not take the lock can replace the file in the few
//     microseconds between our last look at it and our rename; what it wrote is then
//     lost, unless [Options.GuardForeign] is set. Outside of these, its change is a
//     conflict, and is kept. To be safe from it entirely, have it run under flock
//     on the document's lock file ([Doc.LockFile], "jsonstore lock-file").
//   - A program that writes into the file in place, as the shell's > does, can be seen
//     half done by anybody, us included. The store refuses what is not valid JSON and
//     leaves it alone.
//   - The lock file .NAME.lock stays beside the document. Delete it only while you hold
//     the lock.
//   - Replacing a file needs a directory that may be written to; the new file keeps
//     mode, on Linux access control list and attributes, and, as far as the user may
//     give files away, owner and group; what cannot be kept narrows access. It does not
//     keep other hard links. A file without write permission is replaced all the same.
//   - An update that changes nothing takes the lock too, for a moment, and flushes what
//     is there if it is not known to be durable: it may be another's. A plain read
//     promises nothing about power cuts.
//   - The default version is a hash of the content: a document that was changed and
//     changed back has its old version again (A-B-A). It is not a cryptographic hash:
//     who may choose contents can make two with one version. [VersionMtime] has other
//     limits; see there.
//   - Network file systems, FUSE, and others that are not known to be local are refused:
//     their locks and renames do not keep these promises.
//   - An update whose context ends while it is being published is not interrupted: it
//     returns what came of it. A disk that does not answer keeps it.
//   - A caller that gives up waiting for a lock leaves one goroutine behind, at most
//     one for each document and handle, until that lock is free: nothing can interrupt
//     the system call.
//   - On Windows a program that has the document open makes an update wait, for 2 seconds
//     at most, and directories are not flushed. GuardForeign is unsupported. It was run
//     under Wine only.
//   - On Windows and macOS keys that differ only in case name one document.
//
// # Conflicts
//
// Within a handle, goroutines that update one document do not conflict: those that wait
// are combined into one version, in their order (internal/combine has the rules).
// Between handles and processes the first try of an update is optimistic: the lock is
// held only while the version is compared and the file renamed. It costs nothing while
// nobody else writes. After a conflict the next try, and for a while the next updates,
// take the lock before they read, and cannot lose to anybody who takes it.
// [Options.Locking] does so at once, which is better when the function is quick and
// writers are many.
//
// # Engines
//
// [New] opens documents that are kept elsewhere: package driver is the contract, and
// package memdriver an engine in memory, good for tests.
package store
