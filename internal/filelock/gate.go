// The gate: what keeps shared locks from starving an exclusive one.
//
// The kernel gives a shared lock to all who ask while others share it, however long somebody
// waits for an exclusive one. So a lock file that was ever shared has a second file, its gate.
// Who wants a shared lock passes the gate first: locks it exclusively, takes the shared lock,
// and unlocks the gate. Who finds the exclusive lock not free waits for it with the gate
// locked, so that no new shared lock is given meanwhile. It then waits only for the shared
// locks that there were when it got the gate.
//
// The gate makes waits fair, and never decides who has the lock: where it cannot be opened, a
// caller goes on without it. A lock file without shared locks has none, which costs a waiter
// one system call.

package filelock

import (
	"runtime"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// passes is how often a caller that may not wait tries the gate: who passes it holds it for
// microseconds.
const passes = 200

// try takes the lock if it is free.
func (t *Table[T]) try(file fsys.File, path string, how *Request) (bool, error) {
	if !how.Shared {
		return file.TryLock()
	}
	gate := t.openGate(path, how)
	if gate != nil {
		defer gate.Close()
		tries := 1
		if how.NoWait {
			tries = passes
		}
		for {
			passed, err := gate.TryLock()
			if passed || err != nil {
				break
			}
			if tries--; tries == 0 {
				return false, nil // somebody waits for an exclusive lock
			}
			runtime.Gosched()
		}
	}
	return file.TryLockShared()
}

// wait blocks until it has the lock.
func (t *Table[T]) wait(file fsys.File, path string, how *Request) error {
	if gate := t.openGate(path, how); gate != nil {
		defer gate.Close()
		_ = gate.Lock(0)
	}
	if how.Shared {
		return file.LockShared()
	}
	return file.Lock(how.Spin)
}

// openGate opens the gate of a lock file, if there is one or this makes it.
func (t *Table[T]) openGate(path string, how *Request) fsys.File {
	if how.NoGate {
		return nil
	}
	open := fsys.OpenExisting
	if how.Shared {
		open = fsys.OpenLock
	}
	gate, err := t.Files.Open(names.Gate(path), open, how.Perm)
	if err != nil {
		return nil
	}
	return gate
}
