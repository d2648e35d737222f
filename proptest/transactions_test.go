// Transactions against a map: each does at random what it can, and the store must say and do
// what the map does.

package proptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/store"
)

// TestTransactions is on files, through several handles of any kind, and in memory.
func TestTransactions(t *testing.T) {
	for _, memory := range []bool{true, false} {
		t.Run(fmt.Sprintf("memory=%v", memory), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) { transactAgainstMap(t, rt, memory) })
		})
	}
}

// errTxRefused is what a function of a transaction refuses with.
var errTxRefused = errors.New("refused")

func transactAgainstMap(t *testing.T, rt *rapid.T, memory bool) {
	ctx := context.Background()
	keys := []string{"a", "b", "dir/c", "d"}
	model := map[string]int{} // the number in a document; those that are absent are not there
	var handles []func(key string) *store.Doc
	if memory {
		db, err := store.New(memdriver.New(), nil)
		if err != nil {
			rt.Fatal(err)
		}
		defer db.Close()
		handles = append(handles, db.Doc)
	} else {
		dir := t.TempDir()
		for _, opts := range []store.Options{{Durability: store.Volatile},
			{Durability: store.Volatile, Locking: true, Versions: store.VersionMtime},
			{Durability: store.Volatile, GuardForeign: true}} {
			db, err := store.Open(dir, &opts)
			if err != nil {
				rt.Fatal(err)
			}
			defer db.Close()
			handles = append(handles, db.Doc)
		}
	}
	for range rapid.IntRange(1, 12).Draw(rt, "transactions") {
		next := maps.Clone(model)
		ops := rapid.SliceOfN(rapid.IntRange(0, 7), 1, 6).Draw(rt, "ops")
		refuses := rapid.IntRange(0, 5).Draw(rt, "refuses") == 0
		var kept *store.Tx
		used := map[string]*store.Doc{}
		err := store.Transact(ctx, func(tx *store.Tx) error {
			kept = tx
			for _, op := range ops {
				key := rapid.SampledFrom(keys).Draw(rt, "key")
				doc := rapid.SampledFrom(handles).Draw(rt, "handle")(key)
				if used[key] == nil { // whose kind of version it has
					used[key] = doc
				}
				n, there := next[key]
				want := error(nil)
				var got error
				switch op {
				case 0:
					var data []byte
					data, _, got = tx.Read(doc)
					if !there {
						want = store.ErrNotExist
					} else if number(data) != n {
						rt.Fatalf("%s is %s, want %d", key, data, n)
					}
				case 1:
					value := rapid.IntRange(0, 99).Draw(rt, "value")
					got = tx.Write(doc, []byte(fmt.Sprintf(`{"n":%d}`, value)))
					next[key] = value
				case 2:
					if got = tx.Create(doc, []byte(`{"n":1}`)); there {
						want = store.ErrExist
					} else {
						next[key] = 1
					}
				case 3:
					if got = tx.Delete(doc); !there {
						want = store.ErrNotExist
					}
					delete(next, key)
				case 4:
					_, got = tx.Add(doc, "n", 3)
					next[key] = n + 3
				case 5:
					got = tx.Write(doc, []byte(`{"n":`))
					want = store.ErrInvalid
				case 6:
					if got = tx.JSONPatch(doc, []byte(`[{"op":"replace","path":"/n","value":8}]`)); !there {
						want = store.ErrNotExist
					} else {
						next[key] = 8
					}
				case 7:
					_, got = store.TxUpdate(tx, doc, func(v *struct {
						N int `json:"n"`
					}) error {
						v.N *= 2
						return nil
					})
					next[key] = 2 * n
				}
				if !errors.Is(got, want) {
					rt.Fatalf("op %d on %s: %v, want %v", op, key, got, want)
				}
			}
			if refuses {
				return errTxRefused
			}
			return nil
		})
		switch {
		case refuses && !errors.Is(err, errTxRefused), !refuses && err != nil:
			rt.Fatal(err)
		case !refuses:
			model = next
		}
		seen := map[string]int{}
		err = store.View(ctx, func(tx *store.Tx) error {
			clear(seen)
			for _, key := range keys {
				data, _, err := tx.Read(rapid.SampledFrom(handles).Draw(rt, "handle")(key))
				if errors.Is(err, store.ErrNotExist) {
					continue
				}
				if err != nil {
					return err
				}
				seen[key] = number(data)
			}
			return nil
		})
		if err != nil || !maps.Equal(seen, model) {
			rt.Fatalf("a view has %v, %v; want %v", seen, err, model)
		}
		for key, doc := range used {
			_, version, err := doc.Read(ctx)
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				rt.Fatal(err)
			}
			if !refuses && kept.Version(doc) != version {
				rt.Fatalf("%s has version %v, and the transaction says %v", key, version,
					kept.Version(doc))
			}
		}
	}
}

func number(data []byte) int {
	var v struct{ N int }
	if json.Unmarshal(data, &v) != nil {
		return -1
	}
	return v.N
}
