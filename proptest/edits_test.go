// The operations of the machine on parts of documents, with plain Go values as the model.

package proptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/store"
)

// tree is a document's value: an object with some of the members n (a number), s (a string), l
// (an array) and o (an object with some of x, a number, and y, true or false).
type tree = map[string]any

func drawTree(t *rapid.T) tree {
	v := tree{}
	for _, member := range []string{"n", "s", "l", "o"} {
		if rapid.Bool().Draw(t, member) {
			v[member] = drawMember(t, member)
		}
	}
	return v
}

func drawMember(t *rapid.T, member string) any {
	switch member {
	case "n", "x":
		return float64(rapid.IntRange(-3, 3).Draw(t, member))
	case "s":
		return rapid.SampledFrom([]string{"", "a", "\u00e9\"<", "line\n"}).Draw(t, member)
	case "l":
		l := []any{}
		for range rapid.IntRange(0, 2).Draw(t, member) {
			l = append(l, float64(len(l)))
		}
		return l
	case "y":
		return rapid.Bool().Draw(t, member)
	}
	o := tree{}
	for _, inner := range []string{"x", "y"} {
		if rapid.Bool().Draw(t, inner) {
			o[inner] = drawMember(t, inner)
		}
	}
	return o
}

// content draws a document in one of several spellings.
func (m *machine) content(t *rapid.T) string {
	var data []byte
	var err error
	if v := drawTree(t); rapid.Bool().Draw(t, "indented") {
		data, err = json.MarshalIndent(v, "", "\t")
		data = append(data, '\n')
	} else {
		data, err = json.Marshal(v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// edit edits the document, and applies change to the value of the model, which is nil if the
// document is absent. Change returns the expected error.
func (m *machine) edit(t *rapid.T, do func(doc *store.Doc) (store.Version, error),
	change func(v tree) (tree, error)) {
	t.Helper()
	_, key, doc, c := m.draw(t)
	var want tree
	var wantErr error
	switch {
	case c.content == nil:
		want, wantErr = change(nil)
	case !c.valid:
		wantErr = store.ErrInvalid
	default:
		want, wantErr = change(parse(t, *c.content))
	}
	version, err := do(doc)
	if !errors.Is(err, wantErr) {
		t.Fatalf("%v, want %v", err, wantErr)
	}
	if wantErr != nil {
		m.mustHave(t, key, c)
		return
	}
	data, readVersion, err := doc.Read(context.Background())
	if err != nil || readVersion != version {
		t.Fatalf("made %v, read %v, %v", version, readVersion, err)
	}
	if got := parse(t, string(data)); !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\nshould mean %v", data, want)
	}
	if c.content == nil || *c.content != string(data) {
		// The store does not write an equal value.
		if c.content != nil && reflect.DeepEqual(parse(t, *c.content), want) {
			t.Fatalf("%q was rewritten as %q", *c.content, data)
		}
		content := string(data)
		m.became(key, &content)
	}
	m.note(t, key, version)
	m.mustHave(t, key, c)
}

func parse(t *rapid.T, content string) (v tree) {
	t.Helper()
	if err := json.Unmarshal([]byte(content), &v); err != nil {
		t.Fatalf("%q: %v", content, err)
	}
	return v
}

var machinePaths = []string{"n", "s", "l", "o", "o.x", "o.y"}

// at follows a path and returns the last object and its member. It can make the objects on the way.
func at(v tree, path string, make bool) (tree, string) {
	outer, inner, nested := strings.Cut(path, ".")
	if !nested {
		return v, path
	}
	o, ok := v[outer].(tree)
	if !ok && make {
		o = tree{}
		v[outer] = o
	}
	return o, inner
}

// orEmpty is for edits that create an absent document.
func orEmpty(v tree) tree {
	if v == nil {
		return tree{}
	}
	return v
}

func (m *machine) get(t *rapid.T) {
	_, key, doc, c := m.draw(t)
	path := rapid.SampledFrom(machinePaths).Draw(t, "path")
	value, version, err := doc.Get(context.Background(), path)
	if c.content != nil && !c.valid {
		if !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("get from nonsense: %s, %v", value, err)
		}
		return
	}
	var want any
	found := false
	if c.content != nil {
		o, member := at(parse(t, *c.content), path, false)
		want, found = o[member]
	}
	if !found {
		if !errors.Is(err, store.ErrNotExist) {
			t.Fatalf("get of what is absent: %s, %v", value, err)
		}
		m.note(t, key, version)
		return
	}
	var got any
	if err == nil {
		err = json.Unmarshal(value, &got)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("get: %s, %v; want %v", value, err, want)
	}
	m.note(t, key, version)
}

func (m *machine) set(t *rapid.T) {
	path := rapid.SampledFrom(machinePaths).Draw(t, "path")
	value := drawMember(t, path[len(path)-1:])
	m.edit(t, func(doc *store.Doc) (store.Version, error) {
		return doc.Set(context.Background(), path, value)
	}, func(v tree) (tree, error) {
		v = orEmpty(v)
		o, member := at(v, path, true)
		o[member] = value
		return v, nil
	})
}

func (m *machine) add(t *rapid.T) {
	path := rapid.SampledFrom([]string{"n", "o.x"}).Draw(t, "path")
	delta := rapid.IntRange(-2, 2).Draw(t, "delta")
	var sum json.Number
	var want float64
	m.edit(t, func(doc *store.Doc) (version store.Version, err error) {
		sum, version, err = doc.Add(context.Background(), path, delta)
		return version, err
	}, func(v tree) (tree, error) {
		v = orEmpty(v)
		o, member := at(v, path, true)
		n, _ := o[member].(float64)
		want = n + float64(delta)
		o[member] = want
		return v, nil
	})
	if sum != "" && string(sum) != fmt.Sprint(want) {
		t.Fatalf("the sum is %s, want %v", sum, want)
	}
}

func (m *machine) append(t *rapid.T) {
	value := float64(rapid.IntRange(5, 9).Draw(t, "value"))
	m.edit(t, func(doc *store.Doc) (store.Version, error) {
		return doc.Append(context.Background(), "l", value)
	}, func(v tree) (tree, error) {
		v = orEmpty(v)
		l, _ := v["l"].([]any)
		v["l"] = append(l, value)
		return v, nil
	})
}

func (m *machine) unset(t *rapid.T) {
	path := rapid.SampledFrom(machinePaths).Draw(t, "path")
	m.edit(t, func(doc *store.Doc) (store.Version, error) {
		return doc.Unset(context.Background(), path)
	}, func(v tree) (tree, error) {
		o, member := at(v, path, false)
		if _, there := o[member]; !there {
			return nil, store.ErrNotExist
		}
		delete(o, member)
		return v, nil
	})
}

// mergePatch as RFC 7396 writes it down.
func mergePatch(target any, patch tree) tree {
	old, _ := target.(tree)
	v := maps.Clone(orEmpty(old))
	for member, change := range patch {
		switch change := change.(type) {
		case nil:
			delete(v, member)
		case tree:
			v[member] = mergePatch(v[member], change)
		default:
			v[member] = change
		}
	}
	return v
}

func (m *machine) mergePatch(t *rapid.T) {
	patch := drawTree(t)
	for _, path := range machinePaths {
		if rapid.IntRange(0, 4).Draw(t, "remove "+path) == 0 {
			o, member := at(patch, path, true)
			o[member] = nil
		}
	}
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	m.edit(t, func(doc *store.Doc) (store.Version, error) {
		return doc.MergePatch(context.Background(), data)
	}, func(v tree) (tree, error) { return mergePatch(v, patch), nil })
}

// operation is an operation of a JSON Patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func (m *machine) jsonPatch(t *rapid.T) {
	var patch []operation
	for range rapid.IntRange(0, 3).Draw(t, "operations") {
		path := rapid.SampledFrom(machinePaths).Draw(t, "path")
		patch = append(patch, operation{
			rapid.SampledFrom([]string{"add", "replace", "remove", "test"}).Draw(t, "op"),
			"/" + strings.ReplaceAll(path, ".", "/"), drawMember(t, path[len(path)-1:]),
		})
	}
	data, err := json.Marshal(append([]operation{}, patch...))
	if err != nil {
		t.Fatal(err)
	}
	m.edit(t, func(doc *store.Doc) (store.Version, error) {
		return doc.JSONPatch(context.Background(), data)
	}, func(v tree) (tree, error) {
		if v == nil {
			return nil, store.ErrNotExist
		}
		for _, op := range patch {
			if err := op.apply(v); err != nil {
				return nil, err
			}
		}
		return v, nil
	})
}

func (op operation) apply(v tree) error {
	o, member := at(v, strings.ReplaceAll(op.Path[1:], "/", "."), false)
	old, there := o[member]
	switch {
	case o == nil, !there && op.Op != "add":
		return store.ErrInvalid
	case op.Op == "remove":
		delete(o, member)
	case op.Op != "test":
		o[member] = op.Value
	case !reflect.DeepEqual(old, op.Value):
		return store.ErrTest
	}
	return nil
}

func (m *machine) typed(t *rapid.T) {
	delta := rapid.IntRange(0, 2).Draw(t, "delta")
	refuse := rapid.IntRange(0, 4).Draw(t, "refuse") == 0
	// It knows two members of four.
	type known struct {
		N int    `json:"n"`
		S string `json:"s"`
	}
	m.edit(t, func(doc *store.Doc) (store.Version, error) {
		_, version, err := store.Update(context.Background(), doc, func(v *known) error {
			v.N += delta
			if refuse {
				return errRefused
			}
			return nil
		})
		return version, err
	}, func(v tree) (tree, error) {
		switch {
		case refuse:
			return nil, errRefused
		case v == nil:
			return tree{"n": float64(delta), "s": ""}, nil
		case delta != 0:
			n, _ := v["n"].(float64)
			v["n"] = n + float64(delta)
		}
		return v, nil
	})
}
