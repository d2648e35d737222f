//go:build unix

// The load on logs: processes append records of several sizes and are killed, and the next
// process goes on.

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/jsonstore/jsonstore/journal"
)

// record is a line of a log.
type record struct {
	Seq uint64 `json:"seq,omitempty"` // of the logs that number their records themselves
	ID  string `json:"id"`
	Pad string `json:"pad"`
}

// logging is the load.
type logging struct {
	open      func(dir string) (appends, error)
	processes int
	large     int // bytes of a large record
	numbers   bool
}

// appends appends a record, and returns its number in logs that have numbers.
type appends func(r record) (seq uint64, err error)

func (l logging) log(
	name, load string, byHand func(string) (appends, error), call string,
	ours func(string) (appends, error),
) system {
	l.open = byHand
	other := l
	other.open = ours
	return system{name, load, call, l, other}
}

func logPath(dir string) string { return filepath.Join(dir, "log.jsonl") }

func (l logging) work(w *worker) error {
	add, err := l.open(w.Dir)
	if err != nil {
		return err
	}
	for n := 0; !w.stopping(); n++ {
		r := record{ID: fmt.Sprintf("%s%d-%d", w.Role, w.Process, n), Pad: strings.Repeat("x", 50)}
		if n%4 == 3 {
			r.Pad = strings.Repeat("x", l.large)
		}
		seq, err := add(r)
		if err != nil {
			return err
		}
		w.say(fmt.Sprint(r.ID, " ", seq))
		if w.Role == "after" {
			return nil
		}
	}
	return nil
}

func (l logging) round(r *round) error {
	all, err := r.group(l.processes, "p")
	if err != nil {
		return err
	}
	said, err := r.gather(all, killed, roundTime)
	if err != nil {
		return err
	}
	next, err := r.group(1, "after")
	if err != nil {
		return err
	}
	last, err := r.gather(next, byThemselves, 0)
	if err != nil {
		return err
	}
	said = append(said, last...)
	found, broken, err := lines(r.Dir)
	if err != nil {
		return err
	}
	acknowledged, missing, numbers := 0, 0, map[string]bool{}
	for _, one := range said {
		for _, line := range one {
			id, seq, _ := strings.Cut(line, " ")
			acknowledged++
			if found[id] != 1 {
				missing++
			}
			numbers[seq] = true
		}
	}
	r.add("broken lines", broken, broken+len(found))
	r.add("records not there once", missing, acknowledged)
	if l.numbers {
		r.add("numbers given twice", acknowledged-len(numbers), acknowledged)
	}
	return nil
}

// lines reads all files of a log: how often each record is there, and how many lines are broken.
func lines(dir string) (found map[string]int, broken int, err error) {
	found = map[string]int{}
	names, err := filepath.Glob(logPath(dir) + "*")
	for _, name := range names {
		data, readErr := os.ReadFile(name)
		err = errors.Join(err, readErr)
		for line := range bytes.Lines(data) {
			var r record
			if json.Unmarshal(line, &r) != nil || !bytes.HasSuffix(line, []byte("\n")) {
				broken++
				continue
			}
			found[r.ID]++
		}
	}
	return found, broken, err
}

// rotateAt is the size of a log that is rotated.
const rotateAt = 100_000

// lockedLogFile is LockedLogFile: it opens the log, locks it, rotates it if it is large, writes
// through a buffer, and unlocks. The deferred calls run in the order in which such code has
// them: what is left in the buffer is written without the lock. A file of Python, which with
// closes, does the same.
func lockedLogFile(dir string) (appends, error) {
	path := logPath(dir)
	open := func() (*os.File, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	}
	return func(r record) (uint64, error) {
		line, err := json.Marshal(r)
		if err != nil {
			return 0, err
		}
		f, err := open()
		if err != nil {
			return 0, err
		}
		defer func() { f.Close() }()
		locked := f
		if err := flock(locked); err != nil {
			return 0, err
		}
		if info, err := os.Stat(path); err == nil && info.Size() > rotateAt {
			rotateByHand(path)
			if f, err = open(); err != nil {
				return 0, errors.Join(err, locked.Close())
			}
			defer locked.Close()
		}
		w := bufio.NewWriter(f)
		defer w.Flush()
		defer unix.Flock(int(locked.Fd()), unix.LOCK_UN)
		if _, err := w.Write(line); err != nil {
			return 0, err
		}
		return 0, w.WriteByte('\n')
	}, nil
}

// rotateByHand renames log.2 to log.3, log.1 to log.2 and log to log.1, as RotatingFileHandler
// does in Python.
func rotateByHand(path string) {
	numbered := func(n int) string { return fmt.Sprintf("%s.%d", path, n) }
	last := 1
	for ; ; last++ {
		if _, err := os.Stat(numbered(last)); err != nil {
			break
		}
	}
	for ; last > 1; last-- {
		_ = os.Rename(numbered(last-1), numbered(last))
	}
	_ = os.Rename(path, numbered(1))
}

// appendOnlyLog is AppendOnlyLog: it opens the log once, counts its lines, and gives each record
// the next number. Each is one write, and one flush.
func appendOnlyLog(dir string) (appends, error) {
	f, err := os.OpenFile(logPath(dir), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(logPath(dir))
	next := uint64(bytes.Count(data, []byte("\n")))
	return func(r record) (uint64, error) {
		next++
		r.Seq = next
		line, err := json.Marshal(r)
		if err != nil {
			return 0, err
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			return 0, err
		}
		return next, f.Sync()
	}, err
}

// journalAppend is ours: Journal.Append.
func journalAppend(dir string) (appends, error) {
	j, err := journal.Open(logPath(dir), &journal.Options{MaxBytes: rotateAt, Plain: true,
		OnRepair: func(journal.Repair) {}})
	return func(r record) (uint64, error) {
		value, err := json.Marshal(r)
		if err != nil {
			return 0, err
		}
		return j.Append(context.Background(), value)
	}, err
}
