// Package journal keeps append-only logs of JSON values that several goroutines and
// processes write at once.
//
// # Basics
//
// A journal is a file in JSON Lines: each line is one value, the record. [Open] opens a
// journal, [Journal.Append] adds a record and returns its sequence number. Numbers begin
// at 1 and have no gap. [Journal.Records] iterates from any number on,
// [Journal.Follow] also waits for the records to come.
//
//	log, err := journal.Open("audit.jsonl", nil)
//	...
//	seq, err := log.Append(ctx, []byte(`{"user": "ada", "did": "login"}`))
//
// New records go to the file with the journal's name, the live file. When it is large or
// old enough it is rotated: it becomes a segment, and its name gets the numbers of its
// first and its last record. A new live file takes its place. Old segments are compressed,
// and removed when [Retention] says so.
//
//	audit.jsonl.00000000000000000001-00000000000000000250.gz
//	audit.jsonl.00000000000000000251-00000000000000000400.gz
//	audit.jsonl
//
// So "tail -F audit.jsonl | jq" follows a journal, and "zcat -f audit.jsonl.* audit.jsonl"
// prints all of it.
//
// # Promises
//
//   - Nothing acknowledged is lost: a record whose Append returned without error is in the
//     journal once, at the number that was returned, until retention removes it. In
//     [store.Durable], the default, a power cut keeps it.
//   - Never torn: readers get whole lines only, and a line that a reader got never
//     changes its number. A write that fails half way is cut off behind its last whole
//     line. What a killed process or a power cut leaves behind that is moved aside by the
//     next Append, never dropped.
//   - No gap: each number up to the last one has a record. The records of one goroutine
//     are in its order.
//   - A process may die at any instant, also in the middle of a rotation.
//
// A record whose Append returned an error, or did not return, may be in the journal or not.
// If it is, it is whole.
//
// # Limits
//
//   - The number of a record is the number of the segment's first record plus its line.
//     A program that edits lines or renames segments changes numbers. Retention keeps the
//     newest segment, which has the numbers on which the live file goes on. A journal
//     whose segments were all removed by hand begins at 1 again.
//   - The first Append through a handle reads the live file, to count its lines:
//     [Options.MaxBytes] bounds that.
//   - A program that appends without the lock ("echo >>") can write to a file that is being
//     rotated, and its line is then reported as corrupt.
//   - A reader takes no lock. It can see records that a power cut then removes.
//   - After a failed flush (store.ErrNotDurable) and a power cut, the records that were told
//     to be not durable can be missing; their segment is then corrupt, and named.
//   - A zero byte in the live file is taken for what a power cut has left: the lines from
//     there on are moved aside, though a bad device may be the cause.
//   - Locks do not work between machines: network file systems are refused by default.
//   - A name has at most [MaxName] bytes.
package journal
