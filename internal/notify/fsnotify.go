//go:build linux

// Notification by the system, where it tells of the names in a directory.

package notify

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// notifier is a source on package fsnotify.
type notifier struct{ w *fsnotify.Watcher }

func openSource() (source, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, explained(err)
	}
	return notifier{w}, nil
}

func (n notifier) add(dir string) error { return explained(n.w.Add(dir)) }

// remove has an error if the system has ended the watch already.
func (n notifier) remove(dir string) { _ = n.w.Remove(dir) }

func (n notifier) close() { _ = n.w.Close() }

func (n notifier) next() (change, bool) {
	select {
	case event, ok := <-n.w.Events:
		const names = fsnotify.Create | fsnotify.Remove | fsnotify.Rename
		return change{path: event.Name, named: event.Op&names != 0}, ok
	case _, ok := <-n.w.Errors: // an overflow; of other errors nothing is known
		return change{all: true}, ok
	}
}

// explained says which limit was reached.
func explained(err error) error {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w: the limit of inotify instances or of open files is reached; raise "+
			"fs.inotify.max_user_instances with sysctl, or ulimit -n", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the limit of inotify watches is reached; raise "+
			"fs.inotify.max_user_watches with sysctl", err)
	}
	return err
}
