// The part of the contract that one caller sees: a table of operations and their
// outcomes.

package drivertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/driver"
)

type operation string

const (
	read   operation = "read"
	swap   operation = "swap"
	remove operation = "delete"
	list   operation = "list"
)

// outcome is the sentinel that the error must be, or nil for success.
type outcome error

var (
	conflict    outcome = driver.ErrConflict
	badVersion  outcome = driver.ErrVersion
	closed      outcome = driver.ErrClosed
	otherEngine         = driver.ETagVersion("of another engine")
)

// step is one operation. Versions have names: "" is Absent, and "other" is a version of
// another engine. An earlier step gives a version every other name, by its field as.
type step struct {
	do   operation
	key  string   // for list: the prefix
	old  string   // the version expected
	data string   // swap: the new content; read: the expected content
	as   string   // read and swap: the name for the version returned
	keys []string // list: the expected keys
	want outcome
	have string // with conflict: the version that the error must carry
}

var scripts = []struct {
	name  string
	steps []step
}{
	{"absent", []step{
		{do: read, key: "a"},
		{do: list},
	}},
	{"create", []step{
		{do: swap, key: "a", data: `{"n":1}`, as: "v1"},
		{do: read, key: "a", data: `{"n":1}`, as: "v1"},
		{do: read, key: "b"},
		{do: list, keys: []string{"a"}},
	}},
	{"create what is there", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: swap, key: "a", data: `2`, want: conflict, have: "v1"},
		{do: read, key: "a", data: `1`, as: "v1"},
	}},
	{"swap", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: swap, key: "a", old: "v1", data: `22`, as: "v2"},
		{do: read, key: "a", data: `22`, as: "v2"},
		{do: swap, key: "a", old: "v2", data: `3`, as: "v3"},
		{do: read, key: "a", data: `3`, as: "v3"},
	}},
	{"swap under an old version", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: swap, key: "a", old: "v1", data: `2`, as: "v2"},
		{do: swap, key: "a", old: "v1", data: `3`, want: conflict, have: "v2"},
		{do: read, key: "a", data: `2`, as: "v2"},
	}},
	{"swap what is absent", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: remove, key: "a", old: "v1"},
		{do: swap, key: "a", old: "v1", data: `2`, want: conflict},
		{do: read, key: "a"},
	}},
	{"swap to the same bytes", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: swap, key: "a", old: "v1", data: `1`, as: "v2"},
		{do: read, key: "a", data: `1`, as: "v2"},
	}},
	{"delete", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: swap, key: "b", data: `1`, as: "b1"},
		{do: remove, key: "a", old: "v1"},
		{do: read, key: "a"},
		{do: read, key: "b", data: `1`, as: "b1"},
		{do: list, keys: []string{"b"}},
	}},
	{"delete under an old version", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: swap, key: "a", old: "v1", data: `2`, as: "v2"},
		{do: remove, key: "a", old: "v1", want: conflict, have: "v2"},
		{do: read, key: "a", data: `2`, as: "v2"},
	}},
	{"delete what is absent", []step{
		{do: remove, key: "a", want: conflict},
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: remove, key: "a", want: conflict, have: "v1"},
		{do: remove, key: "a", old: "v1"},
		{do: remove, key: "a", old: "v1", want: conflict},
	}},
	{"create again after delete", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: remove, key: "a", old: "v1"},
		{do: swap, key: "a", data: `2`, as: "v2"},
		{do: swap, key: "a", old: "v1", data: `3`, want: conflict, have: "v2"},
		{do: read, key: "a", data: `2`, as: "v2"},
	}},
	{"a version of another engine", []step{
		{do: swap, key: "a", data: `1`, as: "v1"},
		{do: swap, key: "a", old: "other", data: `2`, want: badVersion},
		{do: remove, key: "a", old: "other", want: badVersion},
		{do: swap, key: "b", old: "other", data: `2`, want: badVersion},
		{do: read, key: "a", data: `1`, as: "v1"},
	}},
	{"keys with parts", []step{
		{do: swap, key: "users/alice", data: `1`, as: "v1"},
		{do: swap, key: "users/bob/settings", data: `2`, as: "v2"},
		{do: swap, key: "users-old", data: `3`, as: "v3"},
		{do: swap, key: "users", data: `4`, as: "v4"},
		{do: read, key: "users/alice", data: `1`, as: "v1"},
		{do: list, keys: []string{"users", "users-old", "users/alice", "users/bob/settings"}},
		{do: list, key: "users/", keys: []string{"users/alice", "users/bob/settings"}},
		{do: list, key: "users/b", keys: []string{"users/bob/settings"}},
		{do: list, key: "v"},
	}},
	{"a large document", []step{
		{do: swap, key: "a", data: `"` + strings.Repeat("x", 1<<19) + `"`, as: "v1"},
		{do: read, key: "a", data: `"` + strings.Repeat("x", 1<<19) + `"`, as: "v1"},
		{do: swap, key: "a", old: "v1", data: `1`, as: "v2"},
		{do: read, key: "a", data: `1`, as: "v2"},
	}},
}

func runScript(t *testing.T, drv driver.Driver, steps []step) {
	t.Helper()
	versions := map[string]driver.Version{"": driver.Absent, "other": otherEngine}
	for i, s := range steps {
		old, known := versions[s.old]
		if !known {
			t.Fatalf("step %d: no version was named %q before", i, s.old)
		}
		got := driver.Absent
		var err error
		switch s.do {
		case read:
			var data []byte
			data, got, err = drv.Read(context.Background(), s.key)
			if err == nil && (string(data) != s.data || (data == nil) != got.IsAbsent()) {
				t.Fatalf("step %d: read %s: %.60q, want %.60q", i, s.key, data, s.data)
			}
		case swap:
			got, err = drv.Swap(context.Background(), s.key, old, []byte(s.data))
			if err == nil && got.IsAbsent() {
				t.Fatalf("step %d: swap %s returned the version Absent", i, s.key)
			}
		case remove:
			err = drv.Delete(context.Background(), s.key, old)
		case list:
			var keys []string
			keys, err = collect(context.Background(), drv, s.key)
			if err == nil && !slices.Equal(keys, s.keys) {
				t.Fatalf("step %d: list %q: %q, want %q", i, s.key, keys, s.keys)
			}
		}
		if !errors.Is(err, s.want) {
			t.Fatalf("step %d: %s %s: error %v, want %v", i, s.do, s.key, err, s.want)
		}
		if s.want == conflict {
			var conflict *driver.ConflictError
			have := versions[s.have]
			if !errors.As(err, &conflict) || conflict.Want != old || conflict.Have != have {
				t.Fatalf("step %d: %s %s: %v, want a ConflictError with Want %v, Have %v",
					i, s.do, s.key, err, old, have)
			}
		}
		if err == nil && s.as != "" {
			if before, named := versions[s.as]; named && before != got {
				t.Fatalf("step %d: %s %s: version %v, want %s, which is %v",
					i, s.do, s.key, got, s.as, before)
			}
			versions[s.as] = got
		}
	}
}
