// Doc.Merge: what it writes, and what it leaves alone.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/merge"
	"github.com/jsonstore/jsonstore/store"
)

func TestMergeInto(t *testing.T) {
	for _, test := range []struct {
		name, base, now, ours, want string
		conflict                    string // its path
		err                         error
	}{
		{"as it was", `{"a": 1}`, `{"a": 1}`, "{ \"a\":2 }\n", "{ \"a\":2 }\n", "", nil},
		{"changed elsewhere", `{"a": 1, "b": 1.0}`, `{"a": 1, "b": 2.0}`, `{"a": 3, "b": 1.0}`, `{"a": 3, "b": 2.0}`, "", nil},
		{"the same change", `{"a": 1}`, `{"a": 2.0}`, `{"a": 2}`, `{"a": 2}`, "", nil},
		{"nothing changed here", `{"a": 1}`, `{"a": 2.0}`, `{"a": 1}`, `{"a": 2.0}`, "", nil},
		{"conflict", `{"a": {"b": 1}}`, `{"a": {"b": 2}}`, `{"a": {"b": 3}}`, `{"a": {"b": 2}}`, "a.b", nil},
		{"created", ``, ``, `{"a": 1}`, `{"a": 1}`, "", nil},
		{"created elsewhere too", ``, `{"b": 1}`, `{"a": 1}`, `{"a": 1, "b": 1}`, "", nil},
		{"deleted elsewhere", `{"a": 1}`, ``, `{"a": 2}`, ``, "@this", nil},
		{"deleted elsewhere, unchanged here", `{"a": 1}`, ``, `{"a": 1}`, ``, "", nil},
		{"empty", `{"a": 1}`, `{"a": 1}`, ``, `{"a": 1}`, "", store.ErrInvalid},
		{"empty, and absent", ``, ``, ``, ``, "", store.ErrInvalid},
		{"invalid", `{"a": 1}`, `{"a": 1}`, `{`, `{"a": 1}`, "", store.ErrInvalid},
		{"invalid base", `{`, `{"a": 1}`, `{}`, `{"a": 1}`, "", store.ErrInvalid},
		{"invalid now", `{"a": 1}`, `{`, `{"a": 2}`, `{`, "", store.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := context.Background()
			doc := open(test.now)
			defer remove(doc)
			_, err := doc.Merge(ctx, []byte(test.base), []byte(test.ours))
			var conflicts *merge.Conflicts
			switch {
			case test.conflict != "":
				if !errors.As(err, &conflicts) || conflicts.List[0].Path != test.conflict {
					t.Errorf("error %v, want a conflict at %s", err, test.conflict)
				}
				if errors.Is(err, store.ErrConflict) || !strings.HasPrefix(err.Error(), "merge ") {
					t.Errorf("error %v", err)
				}
			case !errors.Is(err, test.err):
				t.Errorf("error %v, want %v", err, test.err)
			}
			if data, _, _ := doc.Read(ctx); string(data) != test.want {
				t.Errorf("the document is %q, want %q", data, test.want)
			}
		})
	}
}

// TestMergeInAll: many change members of their own in what they have read long before; all
// changes are there in the end.
func TestMergeInAll(t *testing.T) {
	ctx := context.Background()
	db, err := store.New(memdriver.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	base, want := "{", "{"
	const writers = 8
	for i := range writers {
		comma := []string{"", ", "}[min(i, 1)]
		base += fmt.Sprintf(`%s"n%d": 0`, comma, i)
		want += fmt.Sprintf(`%s"n%d": %d`, comma, i, i+1)
	}
	base, want = base+"}", want+"}"
	if _, err := db.Doc("doc").Create(ctx, []byte(base)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			was, is := fmt.Sprintf(`"n%d": 0`, i), fmt.Sprintf(`"n%d": %d`, i, i+1)
			ours := strings.Replace(base, was, is, 1)
			if _, err := db.Doc("doc").Merge(ctx, []byte(base), []byte(ours)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if data, _, err := db.Doc("doc").Read(ctx); err != nil || string(data) != want {
		t.Errorf("the document is %s, %v, want %s", data, err, want)
	}
}
