// Expectations: an update that is made only if the document has a certain version.

package store

import "github.com/jsonstore/jsonstore/driver"

// Expect returns a handle on the same document whose updates are made only if the
// document's version is v; otherwise they are a *ConflictError, and nothing is changed.
// That holds for Update, Set, Add, Append, Unset, Delete, MergePatch, JSONPatch and the
// function [Update]. With Absent they make the document, and are a conflict if it is there.
//
//	_, version, err := doc.Get(ctx, "theme")
//	…
//	version, err = doc.Expect(version).Set(ctx, "theme", "dark") // errors.Is(err, ErrConflict)
//
// The linearization point of an update that changes the document is the rename under the
// document's lock, as of CompareAndSwap: no other version was published between v and the
// new one. An update that changes nothing is linearized at the look, under the lock, that
// confirms the version; a conflict at a read while the call was under way. An update with
// an expectation is never combined with others into one version: another caller's change
// would come between v and its own.
//
// Reads through the handle return what is there, whatever its version. CompareAndSwap,
// CompareAndDelete and Create state an expectation of their own, which alone counts. The
// handle shares everything else with d, and ends with it.
func (d *Doc) Expect(v Version) *Doc {
	other := *d
	other.expect, other.owns = &v, false
	return &other
}

// CheckVersion is ErrVersion for a version that the document cannot have, since it is of
// another kind than its versions are. Of other engines than files that is not known before the
// document is read.
func (d *Doc) CheckVersion(v Version) error {
	files := d.drv.files
	if files == nil {
		return nil
	}
	return driver.CheckKind(v, files.modeFor(v).kind())
}

// checkExpect complains about an expectation that no version of the document can fulfil.
func (d *Doc) checkExpect() error {
	if d.expect == nil {
		return nil
	}
	return d.CheckVersion(*d.expect)
}

// isExpected is the conflict if the document was read at a version that is not expected.
func (d *Doc) isExpected(have Version) error {
	if d.expect == nil || *d.expect == have {
		return nil
	}
	if !have.IsAbsent() {
		if err := driver.CheckKind(*d.expect, have.Kind()); err != nil {
			return err
		}
	}
	d.db.stats.conflicts.Add(1)
	if files := d.drv.files; files != nil {
		// The expected version may come from a kept read that is out of date.
		files.shared.kept.drop(files, d.key)
	}
	return &ConflictError{Key: d.key, Want: *d.expect, Have: have}
}

// solo is the group of one caller that shares no batch. It has a size, so that each has
// an address of its own.
type solo byte

// group identifies the callers that may share a batch with one of d: those with equal
// options. The version that was read is not that of the state that a caller gets who is
// not the first of its batch, so a caller with an expectation is a batch of its own.
func (d *Doc) group() any {
	if d.expect != nil {
		return new(solo)
	}
	return d.opts
}

// mayShare reports whether callers of two groups may share a batch.
func mayShare(a, b any) bool {
	if a == b {
		return true
	}
	x, xShares := a.(*Options)
	y, yShares := b.(*Options)
	return xShares && yShares && *x == *y
}
