// The part of the contract on transactions: all changes or none. It applies to engines
// that implement driver.Transactor.

package drivertest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jsonstore/jsonstore/driver"
)

// transactor is an engine with transactions.
type transactor interface {
	driver.Driver
	driver.Transactor
}

var transactionChecks = []struct {
	name string
	run  func(t *testing.T, drv transactor)
}{
	{"a transaction", commits},
	{"a transaction without changes", commitsNothing},
	{"a transaction whose document has changed", commitConflicts},
	{"a transaction that keeps", commitKeeps},
	{"a transaction with a version of another engine", commitOtherVersion},
	{"two changes of one document", commitTwice},
	{"bytes of a transaction are not shared with the caller", commitCopies},
	{"a transaction whose context has ended", commitEnded},
	{"a transaction in a closed engine", commitClosed},
	{"race of transactions", raceOfTransactions},
	{"race of transactions that keep", raceOfKeepers},
	{"transfers", transfers},
	{"readers beside transactions", readersBesideTransactions},
	{"transactions whose contexts end", racingContexts},
}

func runTransactions(t *testing.T, open func(t *testing.T) driver.Driver) {
	for _, check := range transactionChecks {
		t.Run(check.name, func(t *testing.T) {
			drv := open(t)
			defer closeDriver(t, drv)
			if tr, ok := drv.(transactor); ok {
				check.run(t, tr)
			} else {
				t.Skip("the engine has no transactions")
			}
		})
	}
}

// state is what the documents with these keys have; an absent one has the version Absent.
func state(t *testing.T, drv driver.Driver, keys ...string) map[string]document {
	t.Helper()
	all := map[string]document{}
	for _, key := range keys {
		data, v, err := drv.Read(context.Background(), key)
		must(t, v, err)
		all[key] = document{string(data), v}
	}
	return all
}

type document struct {
	data    string
	version driver.Version
}

// fill creates a document for each key, with the key as its content.
func fill(t *testing.T, drv driver.Driver, keys ...string) map[string]driver.Version {
	t.Helper()
	versions := map[string]driver.Version{}
	for _, key := range keys {
		v, err := drv.Swap(context.Background(), key, driver.Absent, []byte(`"`+key+`"`))
		versions[key] = must(t, v, err)
	}
	return versions
}

func commits(t *testing.T, drv transactor) {
	old := fill(t, drv, "a", "dir/b", "c", "e")
	versions, err := drv.Commit(context.Background(), []driver.Change{
		{Key: "dir/b", Old: old["dir/b"], Data: []byte("2")},
		{Key: "c", Old: old["c"], Delete: true},
		{Key: "a", Old: old["a"], Data: []byte("1")},
		{Key: "e", Old: old["e"], Keep: true},
		{Key: "d", Data: []byte("4")},
		{Key: "f", Keep: true},
	})
	if err != nil || len(versions) != 6 {
		t.Fatalf("%v, %v", versions, err)
	}
	got := state(t, drv, "dir/b", "c", "a", "e", "d", "f")
	for i, want := range []document{{"2", versions[0]}, {"", driver.Absent}, {"1", versions[2]},
		{`"e"`, old["e"]}, {"4", versions[4]}, {"", driver.Absent}} {
		key := []string{"dir/b", "c", "a", "e", "d", "f"}[i]
		if got[key] != want || versions[i] != want.version {
			t.Errorf("%s is %v, want %v; the version returned is %v", key, got[key], want,
				versions[i])
		}
	}
	if versions[0] == old["dir/b"] || versions[2] == old["a"] || versions[4].IsAbsent() {
		t.Errorf("the versions are not new: %v", versions)
	}
	// Each version can be swapped from.
	for i, key := range []string{"dir/b", "c", "a"} {
		if _, err := drv.Swap(context.Background(), key, versions[i], []byte("9")); err != nil {
			t.Errorf("a swap of %s from the version returned: %v", key, err)
		}
	}
}

func commitsNothing(t *testing.T, drv transactor) {
	if versions, err := drv.Commit(context.Background(), nil); err != nil || len(versions) > 0 {
		t.Errorf("%v, %v", versions, err)
	}
}

// commitConflicts: wherever in the order the change is whose version is not that of the
// document, whatever it does, nothing changes, and the error names the document.
func commitConflicts(t *testing.T, drv transactor) {
	old := fill(t, drv, "a", "b", "c", "gone")
	v, err := drv.Swap(context.Background(), "c", old["c"], []byte("3"))
	current := must(t, v, err)
	if err := drv.Delete(context.Background(), "gone", old["gone"]); err != nil {
		t.Fatal(err)
	}
	keys := []string{"a", "b", "c", "d", "gone"}
	before := state(t, drv, keys...)
	for name, bad := range map[string]driver.Change{
		"replaced":               {Key: "c", Old: old["c"], Data: []byte("9")},
		"deleted, replaced":      {Key: "c", Old: old["c"], Delete: true},
		"kept, replaced":         {Key: "c", Old: old["c"], Keep: true},
		"created, there":         {Key: "c", Data: []byte("9")},
		"kept absent, there":     {Key: "c", Keep: true},
		"deleted unseen, there":  {Key: "c", Delete: true},
		"replaced, absent":       {Key: "gone", Old: old["gone"], Data: []byte("9")},
		"deleted, absent":        {Key: "gone", Old: old["gone"], Delete: true},
		"kept, absent":           {Key: "gone", Old: old["gone"], Keep: true},
		"deleted unseen, absent": {Key: "gone", Delete: true},
	} {
		good := []driver.Change{
			{Key: "a", Old: old["a"], Data: []byte("7")},
			{Key: "b", Old: old["b"], Delete: true},
			{Key: "d", Data: []byte("7")},
		}
		for at := range len(good) + 1 {
			versions, err := drv.Commit(context.Background(), slices.Insert(slices.Clone(good), at,
				bad))
			var lost *driver.ConflictError
			have := current
			if bad.Key == "gone" {
				have = driver.Absent
			}
			if !errors.As(err, &lost) || !errors.Is(err, driver.ErrConflict) ||
				lost.Key != bad.Key || lost.Want != bad.Old || lost.Have != have {
				t.Errorf("%s, at %d: %v, %v; want a ConflictError with Key %s, Want %v, Have %v",
					name, at, versions, err, bad.Key, bad.Old, have)
			}
			mustBe(t, drv, before)
		}
	}
}

// mustBe fails unless the documents have these contents and versions.
func mustBe(t *testing.T, drv driver.Driver, want map[string]document) {
	t.Helper()
	for key, was := range want {
		if got := state(t, drv, key)[key]; got != was {
			t.Errorf("%s has become %v; it was %v", key, got, was)
		}
	}
}

// commitKeeps: changes that keep change nothing, not the version either.
func commitKeeps(t *testing.T, drv transactor) {
	old := fill(t, drv, "a", "b")
	before := state(t, drv, "a", "b", "c")
	keep := []driver.Change{{Key: "a", Old: old["a"], Keep: true}, {Key: "c", Keep: true},
		{Key: "b", Old: old["b"], Keep: true, Delete: true, Data: []byte("9")}}
	versions, err := drv.Commit(context.Background(), keep)
	want := []driver.Version{old["a"], driver.Absent, old["b"]}
	if err != nil || !slices.Equal(versions, want) {
		t.Errorf("%v, %v; want %v", versions, err, want)
	}
	mustBe(t, drv, before)
}

func commitOtherVersion(t *testing.T, drv transactor) {
	old := fill(t, drv, "a", "b")
	before := state(t, drv, "a", "b", "c")
	for _, bad := range []driver.Change{
		{Key: "b", Old: otherEngine, Data: []byte("9")},
		{Key: "b", Old: otherEngine, Delete: true},
		{Key: "b", Old: otherEngine, Keep: true},
		{Key: "c", Old: otherEngine, Data: []byte("9")},
	} {
		_, err := drv.Commit(context.Background(), []driver.Change{
			{Key: "a", Old: old["a"], Data: []byte("9")}, bad,
		})
		if !errors.Is(err, driver.ErrVersion) || errors.Is(err, driver.ErrConflict) {
			t.Errorf("%+v: %v, want %v", bad, err, driver.ErrVersion)
		}
		mustBe(t, drv, before)
	}
}

func commitTwice(t *testing.T, drv transactor) {
	old := fill(t, drv, "a", "b")
	before := state(t, drv, "a", "b", "c")
	keep := driver.Change{Key: "b", Old: old["b"], Keep: true}
	write := driver.Change{Key: "b", Old: old["b"], Data: []byte("9")}
	for _, two := range [][2]driver.Change{
		{write, {Key: "b", Old: old["b"], Data: []byte("8")}},
		{keep, {Key: "b", Old: old["b"], Delete: true}},
		{keep, keep},
		{keep, write},
		{{Key: "c", Data: []byte("8")}, {Key: "c", Data: []byte("9")}},
	} {
		_, err := drv.Commit(context.Background(), []driver.Change{two[0],
			{Key: "a", Old: old["a"], Data: []byte("9")}, two[1]})
		if !errors.Is(err, driver.ErrKey) {
			t.Errorf("%+v: %v, want %v", two, err, driver.ErrKey)
		}
		mustBe(t, drv, before)
	}
}

func commitCopies(t *testing.T, drv transactor) {
	data := []byte("[1]")
	changes := []driver.Change{{Key: "a", Data: data}, {Key: "b", Data: []byte("2")}}
	_, err := drv.Commit(context.Background(), changes)
	must(t, driver.Absent, err)
	data[1] = '2'
	if got := state(t, drv, "a")["a"]; got.data != "[1]" {
		t.Errorf("after the caller changed its buffer: %q", got.data)
	}
}

func commitEnded(t *testing.T, drv transactor) {
	old := fill(t, drv, "a", "b")
	before := state(t, drv, "a", "b", "c")
	cause := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	_, err := drv.Commit(ctx, []driver.Change{{Key: "a", Old: old["a"], Data: []byte("9")},
		{Key: "b", Old: old["b"], Delete: true}, {Key: "c", Data: []byte("9")}})
	if !errors.Is(err, cause) {
		t.Errorf("%v, want %v", err, cause)
	}
	mustBe(t, drv, before)
}

func commitClosed(t *testing.T, drv transactor) {
	old := fill(t, drv, "a")
	closeDriver(t, drv)
	_, err := drv.Commit(context.Background(), []driver.Change{{Key: "a", Old: old["a"],
		Data: []byte("9")}, {Key: "b", Data: []byte("9")}})
	if !errors.Is(err, driver.ErrClosed) {
		t.Errorf("%v, want %v", err, driver.ErrClosed)
	}
}
