// Package store keeps JSON documents in plain files that several goroutines, processes
// and programs change concurrently, without losing an update.
//
// # Basics
//
// A document ([Doc]) is one JSON value in one file. [OpenFile] opens one, [Open] a
// directory of them, where each has a key ([DB.Doc]). [Doc.Read] returns a document's
// bytes and their [Version], a token for exactly this state. [Doc.CompareAndSwap]
// replaces the document only if its version is still the one that was read. Otherwise
// the caller gets [ErrConflict] and nothing is changed. [Doc.Update] is the loop around
// the two: read, apply a function, compare-and-swap, and again on the new content after
// a conflict. [Doc.Expect] makes updates conditional on a given version.
//
//	doc, err := store.OpenFile("counter.json", nil)
//	...
//	_, _, err = doc.Add(ctx, "hits", 1)
//
// Edits by path ([Doc.Set], [Doc.Add], [Doc.Append], [Doc.Unset]), patches
// ([Doc.MergePatch], [Doc.JSONPatch]) and the typed [Update] change only the values
// that they name. Every other byte stays: the order of keys, white space, the spelling
// of numbers, members that a Go type does not have. [Doc.Merge] puts a change of what was
// read long before on top of what others have changed since (package merge).
//
// # Promises
//
//   - No lost update: an update that returned without error is in the document, or a
//     later update that saw it is.
//   - Never torn: every reader, even one that does not use this package, sees one
//     complete version.
//   - Durable: when a write returns, a power cut keeps it; [Options.Durability] can ask
//     for less.
//   - Progress: an update that lost takes the document's lock for its next try.
//   - A process may die at any instant: the document is the old or the new version, no
//     lock stays, and the next writer removes the temporary file that was left. If more
//     than eight writers die at once, Doc.Sweep removes the files of the others.
//
// # Limits
//
// Know these before you rely on the package:
//
//   - A foreign program that does not take the lock can replace the file in the few
//     microseconds between the store's last look at it and the rename. Its version is
//     then lost, unless [Options.GuardForeign] is set. At any other time its change is
//     a conflict, and is kept. To exclude the loss, run the program under flock on the
//     document's lock file ([Doc.LockFile], "jsonstore lock-file").
//   - Any reader, the store included, can see an unfinished write of a program that
//     writes into the file in place, as the shell's > does. The store refuses content
//     that is not valid JSON and leaves it alone.
//   - The lock file .NAME.lock stays beside the document. Delete it only while you hold
//     the lock.
//   - Replacing a file needs write permission in its directory. The new file keeps the
//     mode, on Linux the access control list and attributes, and, as far as the user
//     may give files away, owner and group. Where one cannot be kept, access gets
//     narrower. Other hard links are not kept. A file without write permission is
//     replaced too.
//   - An update that changes nothing takes the lock too, for a moment. It flushes the
//     document unless it is known to be durable: another writer may have published it.
//     A plain read promises nothing about power cuts.
//   - The default version is a hash of the content: a document that was changed and
//     changed back has its old version again (A-B-A). The hash is not cryptographic: a
//     user who chooses contents can make two with one version. [VersionMtime] documents
//     limits of its own.
//   - Network file systems, FUSE, and others that are not known to be local are
//     refused: their locks and renames do not keep these promises.
//   - An update whose context ends while it is being published is not interrupted: it
//     returns its result. It waits for a disk that does not answer.
//   - A caller that gives up waiting for a lock leaves one goroutine behind, at most
//     one for each document and handle, until that lock is free: the system call cannot
//     be interrupted.
//   - On Windows a program that has the document open makes an update wait, for 2
//     seconds at most, and directories are not flushed. GuardForeign is unsupported. It
//     was run under Wine only.
//   - On Windows and macOS keys that differ only in case name one document.
//
// # Conflicts
//
// Within a handle, goroutines that update one document do not conflict: waiting updates
// are combined into one version, in their order (internal/combine has the rules).
// Between handles and processes the first try of an update is optimistic: the lock is
// held only while the version is compared and the file renamed. That costs nothing
// without other writers. After a conflict the next try, and for a while the next
// updates, take the lock before they read, and cannot lose to a writer that takes it.
// [Options.Locking] does so at once, which is better for a fast function and many
// writers.
//
// # Several documents
//
// [Transact] and [DB.Transact] read and write several documents, of any handles on files,
// and change all of them or none, whatever dies when: who reads one of them afterwards sees
// the new version, or whoever writes it first finishes what is left to do. [View] and
// [DB.View] read several as they were at one moment. A program that does not know of this
// package, such as cat, may see the new version of one some microseconds before that of
// another. Beside a document, a transaction leaves .NAME.tx while it is committed.
//
// A view of all documents beneath a prefix lists their keys with [Tx.Keys], which are of the
// moment of which the documents are; [DB.Keys] lists them one after the other. [Doc.Expect]
// in a transaction makes it a conflict if a document has another version.
//
// # Watch and migrate
//
// [Doc.Watch] and [DB.Watch] iterate over the states of documents as they come, from a version
// on. The system tells of changes where it can; else they look at intervals, and say so.
// [Migrate] brings a document to the newest schema in one update.
//
// # Recovery
//
// With [Options.KeepLast] the version before the current one stays beside the document, as
// .NAME.kept. [Doc.Recover] puts it, or what dead writers have left, in the place of a
// document that another program or a power cut has broken. No read or write does that by
// itself.
//
// # History
//
// [Doc.SetHistory] and [DB.SetHistory] make every writer keep the version that it replaces or
// deletes, whatever its options. [Doc.History] lists them, [Doc.Undo] brings one back as a new
// version, and [Doc.Revert] takes one change back and keeps those since.
//
// # Snapshots
//
// DB.CreateSnapshot keeps all documents of a directory, as they are at one moment, in one file
// beside them. A Snapshot is an fs.FS; Snapshot.Restore brings all of its documents back, or
// some, in one transaction.
//
// # Engines
//
// [New] opens documents in another engine. Package driver is the contract; package
// memdriver is an engine in memory, good for tests.
package store
