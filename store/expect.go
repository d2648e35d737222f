// Expectations: an update that is made only if the document has a certain version.

package store

import "github.com/jsonstore/jsonstore/driver"

// Expect returns a handle on the same document whose updates are made only if the
// document's version is v; otherwise they are a *ConflictError, and nothing is changed.
// That holds for Update, Set, Add, Append, Unset, Delete, MergePatch, JSONPatch, Merge and
// the function [Update]. With Absent they create the document, and are a conflict if it
// exists.
//
//	_, version, err := doc.Get(ctx, "theme")
//	…
//	version, err = doc.Expect(version).Set(ctx, "theme", "dark") // errors.Is(err, ErrConflict)
//
// The linearization point of an update that changes the document is the rename under
// the document's lock, as of CompareAndSwap: no other version was published between v
// and the new one. An update that changes nothing is linearized at the look, under the
// lock, that confirms the version; a conflict at a read while the call was under way.
// An update with an expectation is never combined with others into one version: another
// caller's change would come between v and its own.
//
// Reads through the handle return the document at any version. CompareAndSwap,
// CompareAndDelete and Create have an expectation of their own, which alone counts. The
// handle shares everything else with d, and is closed with it.
//
// In a transaction or a view each operation through the handle, a read and a creation
// too, demands that the document had this version when it was read there. Otherwise the
// operation returns the *ConflictError. The transaction does not run again for it, unless
// what it has read has changed meanwhile.
func (d *Doc) Expect(v Version) *Doc {
	other := *d
	other.expect, other.owns = &v, false
	return &other
}

// CheckVersion returns ErrVersion if v is of another kind than the document's versions,
// so that the document cannot have it. On engines other than files the kind is not
// known before the document is read, and CheckVersion returns nil.
func (d *Doc) CheckVersion(v Version) error {
	files := d.drv.files
	if files == nil {
		return nil
	}
	return driver.CheckKind(v, files.modeFor(v).kind())
}

// checkExpect returns an error if no version of the document can meet the expectation.
func (d *Doc) checkExpect() error {
	if d.expect == nil {
		return nil
	}
	return d.CheckVersion(*d.expect)
}

// mode returns the kind of versions by which the document, which is a file, is read.
func (d *Doc) mode() VersionMode {
	if d.expect != nil {
		return d.drv.files.modeFor(*d.expect)
	}
	return d.drv.files.mode
}

// isExpected returns the conflict if the version that was read is not the expected one.
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
		// The expected version may come from an outdated kept read.
		files.shared.kept.drop(files, d.key)
	}
	return &ConflictError{Key: d.key, Want: *d.expect, Have: have}
}

// isExpectedIn returns the conflict if the version that a transaction has read is not the
// one that doc expects. That may be of the other kind if doc may have both.
func (e *txDoc) isExpectedIn(doc *Doc) error {
	have := e.version
	if doc.expect == nil || *doc.expect == have {
		return nil
	}
	if e.a != nil && e.read.exists && doc.expect.Kind() != have.Kind() {
		switch doc.mode() {
		case VersionMtime:
			have = mtimeVersion(e.a.current.info, e.a.current.file)
		case VersionHash:
			have = hashVersion(e.a.current.data)
		}
	}
	return doc.isExpected(have)
}

// solo is the group of one caller that shares no batch. Its size is not zero, so that
// each has an address of its own.
type solo byte

// group identifies the callers that may share a batch with a caller of d: callers with
// equal options. Only the first caller of a batch gets the state of the version that
// was read, so a caller with an expectation is a batch of its own.
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
