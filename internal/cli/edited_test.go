// The conflicts that are left in a draft.

package cli

import (
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/internal/docpath"
)

// TestUnresolved: each object that stands for a conflict counts, but for those that the
// document has itself, however they are spaced.
func TestUnresolved(t *testing.T) {
	const mark, other = `{"<<<<<<<": {"ours": 1}}`, `{"<<<<<<<":{"ours": 2}}`
	for _, test := range []struct{ base, draft, want string }{
		{`{"x": 1}`, `{"x": 1}`, ""},
		{`{"x": 1}`, `{"x": ` + mark + `}`, "x"},
		{`{"x": ` + mark + `}`, `{"x": { "<<<<<<<" :{"ours":1}}}`, ""},
		{`{"x": ` + mark + `}`, `{"y": ` + mark + `}`, ""},
		{`{"x": ` + mark + `}`, `{"x": ` + other + `}`, "x"},
		{`{"x": ` + mark + `}`, `{"x": ` + mark + `, "y": [` + mark + `]}`, "y.0"},
		{``, mark, "@this"},
		{`{`, mark, "@this"},
	} {
		e := &editing{app: &app{}, draft: &draft{base: []byte(test.base)}}
		marks, err := e.unresolved([]byte(test.draft))
		var paths []string
		for _, m := range marks {
			paths = append(paths, docpath.Of(m.Way))
		}
		if got := strings.Join(paths, " "); err != nil || got != test.want {
			t.Errorf("%s in %s: %q, %v, want %q", test.draft, test.base, got, err, test.want)
		}
	}
}
