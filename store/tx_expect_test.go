//go:build !windows

package store

import (
	"errors"
	"testing"

	"github.com/jsonstore/jsonstore/driver/memdriver"
)

// TestExpectInTransaction: each operation of a transaction or view through a handle with
// an expectation demands that version, at once.
func TestExpectInTransaction(t *testing.T) {
	ctx := impatient(t)
	db := openKeys(t, t.TempDir(), Options{}, "other")
	memory, err := New(memdriver.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	one := []byte("1")
	for name, do := range map[string]func(tx *Tx, doc *Doc) error{
		"read":   func(tx *Tx, doc *Doc) error { _, _, err := tx.Read(doc); return err },
		"get":    func(tx *Tx, doc *Doc) error { _, err := tx.Get(doc, "n"); return err },
		"TxRead": func(tx *Tx, doc *Doc) error { _, err := TxRead[any](tx, doc); return err },
		"update": func(tx *Tx, doc *Doc) error {
			return tx.Update(doc, func([]byte) ([]byte, error) { return one, nil })
		},
		"TxUpdate": func(tx *Tx, doc *Doc) error {
			_, err := TxUpdate(tx, doc, func(v *map[string]any) error {
				(*v)["n"] = 5
				return nil
			})
			return err
		},
		"write":  func(tx *Tx, doc *Doc) error { return tx.Write(doc, one) },
		"create": func(tx *Tx, doc *Doc) error { return tx.Create(doc, one) },
		"delete": func(tx *Tx, doc *Doc) error { return tx.Delete(doc) },
		"set":    func(tx *Tx, doc *Doc) error { return tx.Set(doc, "n", 2) },
		"add":    func(tx *Tx, doc *Doc) error { _, err := tx.Add(doc, "n", 2); return err },
		"append": func(tx *Tx, doc *Doc) error { return tx.Append(doc, "list", 2) },
		"unset":  func(tx *Tx, doc *Doc) error { return tx.Unset(doc, "n") },
		"merge":  func(tx *Tx, doc *Doc) error { return tx.MergePatch(doc, []byte(`{"n":9}`)) },
		"patch": func(tx *Tx, doc *Doc) error {
			return tx.JSONPatch(doc, []byte(`[{"op":"remove","path":"/n"}]`))
		},
	} {
		reads := name == "read" || name == "get" || name == "TxRead"
		for where, db := range map[string]*DB{"files": db, "memory": memory} {
			t.Run(name+" in "+where, func(t *testing.T) {
				doc := db.Doc("doc" + name)
				content := `{"n":1,"list":[]}`
				old, err := doc.Create(ctx, []byte(`{"n":0,"list":[]}`))
				if err != nil {
					t.Fatal(err)
				}
				version, err := doc.CompareAndSwap(ctx, old, []byte(content))
				if err != nil {
					t.Fatal(err)
				}
				kind, run := db.Transact, 0
				if reads {
					kind = db.View
				}
				try := func(v Version) error {
					run = 0
					return kind(ctx, func(tx *Tx) error {
						run++
						if !reads {
							if err := tx.Write(db.Doc("other"), one); err != nil {
								return err
							}
						}
						return do(tx, doc.Expect(v))
					})
				}
				for _, wrong := range []Version{old, Absent} {
					var conflict *ConflictError
					err = try(wrong)
					if !errors.As(err, &conflict) || conflict.Want != wrong ||
						conflict.Have != version || run != 1 {
						t.Errorf("expected %v, %d runs: %v", wrong, run, err)
					}
				}
				if data, _, err := doc.Read(ctx); string(data) != content {
					t.Errorf("it is %s, %v", data, err)
				}
				switch err := try(version); {
				case name == "create":
					if !errors.Is(err, ErrExist) {
						t.Error(err)
					}
				case err != nil:
					t.Error(err)
				}
			})
		}
	}
}

// TestExpectKinds: the expected version may be of the kind that another program uses.
func TestExpectKinds(t *testing.T) {
	ctx := impatient(t)
	dir := t.TempDir()
	auto := openKeys(t, dir, Options{Versions: VersionAuto}, "a", "b")
	byTime := openKeys(t, dir, Options{Versions: VersionMtime})
	byHash := openKeys(t, dir, Options{Versions: VersionHash})
	var versions []Version
	for _, db := range []*DB{byTime, byHash} {
		_, version, err := db.Doc("a").Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, version)
	}
	look := func(docs ...*Doc) error {
		return View(ctx, func(tx *Tx) error {
			for _, doc := range docs {
				if _, _, err := tx.Read(doc); err != nil {
					return err
				}
			}
			return nil
		})
	}
	a := auto.Doc("a")
	for _, docs := range [][]*Doc{
		{a.Expect(versions[0]), a.Expect(versions[1])},
		{a, a.Expect(versions[1]), a.Expect(versions[0])},
	} {
		if err := look(docs...); err != nil {
			t.Error(err)
		}
	}
	for _, docs := range [][]*Doc{
		{byHash.Doc("a").Expect(versions[0])},
		{byTime.Doc("a"), byTime.Doc("a").Expect(versions[1])},
	} {
		if err := look(docs...); !errors.Is(err, ErrVersion) || errors.Is(err, ErrConflict) {
			t.Error(err)
		}
	}
	if err := look(auto.Doc("absent").Expect(Absent)); !errors.Is(err, ErrNotExist) {
		t.Error(err)
	}
	if err := look(auto.Doc("absent").Expect(versions[1])); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
}
