// The sweep of intents: those of dead guards and dead transactions.

package store

import (
	"context"

	"github.com/jsonstore/jsonstore/internal/names"
)

// takeIntent reports whether a dead guard or a dead transaction left an intent beside the
// document, and then cleans up if remove is set.
func (o *orphanage) takeIntent(document string) (bool, error) {
	found, err := o.d.intentAt(document)
	if err != nil {
		return false, err
	}
	target, linkErr := o.d.files.Readlink(names.Intent(document))
	switch {
	case found.there:
		return o.takeTransaction(document)
	case linkErr != nil || decodeMember(target) != nil:
		return false, errNotBelieved
	}
	return o.takeGuards(document)
}

// takeGuards is takeIntent for the intent of a guard. It ignores the lock file's mark: a
// copy of a directory may have an intent beside a new lock file.
func (o *orphanage) takeGuards(document string) (bool, error) {
	unlock, err := o.lock(document)
	if err != nil {
		return false, ignoreLocked(err)
	}
	defer unlock()
	intent, err := o.d.files.Readlink(names.Intent(document))
	switch {
	case err != nil: // a file that is no link is not ours
		return false, nil
	case o.remove:
		return true, o.d.finish(document, intent)
	}
	return true, o.d.believesIntent(document, intent)
}

// takeTransaction reports whether a dead transaction left an intent beside the document,
// and then recovers it if remove is set.
func (o *orphanage) takeTransaction(document string) (bool, error) {
	ctx := context.Background()
	how := locking{perm: o.d.opts.Perm, like: o.d.lockedInfo(document), wait: -1, guards: true}
	held, err := o.d.sidecars().acquire(ctx, document, how)
	if err != nil {
		return false, ignoreLocked(err)
	}
	found, err := o.d.intentAt(document)
	held.unlock()
	switch {
	case err != nil:
		return false, err
	case !found.there:
		return false, errNotBelieved
	case o.remove:
		err := o.d.recover(ctx, document, -1)
		return err == nil, ignoreLocked(err)
	}
	return true, nil
}

// isIntent reports whether the intent of a transaction is beside the document, or may
// be. An intent that is not believed names no file.
func (o *orphanage) isIntent(document string) bool {
	found, err := o.d.intentAt(document)
	return err != nil || found.there
}
