// Package merge merges two changed versions of a JSON document into one, by path: a
// three-way merge.
//
//	merged, err := merge.Three(base, ours, theirs, nil)
//	var conflicts *merge.Conflicts
//	if errors.As(err, &conflicts) {
//		for _, c := range conflicts.List {
//			fmt.Println(c) // theme.color: base "light", ours "dark", theirs "red"
//		}
//	}
//
// Base is the version that both sides, ours and theirs, began with. The result is ours with
// the changes of theirs. What theirs has not changed keeps its bytes: the order of members,
// white space, the spelling of numbers and strings.
//
// # What is merged
//
// A value is taken from the side that has changed it. If both have, and differ:
//
//   - Objects are merged member by member, also those that both have added.
//   - Arrays that the base has too are merged element by element. An element keeps its
//     identity when others come, go or move: elements are aligned by their value, objects by
//     their id (a member id, _id, uuid or guid), else by what most of their members have in
//     common, and what is left by its place. What both have added at one place is in the
//     result twice, first that of ours; but once if it is equal.
//   - Other values are a conflict. So is a value that one side has changed and the other has
//     removed, and an array that both have put in different orders.
//
// Numbers are equal if their values are, strings if their characters are. The order of
// members, white space and spelling are no changes. So each change of either side is in the
// result, or in a conflict.
//
// [store.Doc.Merge] merges into a document that others may have changed meanwhile.
//
// [store.Doc.Merge]: https://pkg.go.dev/github.com/jsonstore/jsonstore/store#Doc.Merge
package merge

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jsonstore/jsonstore/internal/docpath"
	"github.com/jsonstore/jsonstore/internal/splice"
)

// Resolution is what becomes of conflicts.
type Resolution int

const (
	// Refuse: there is no result if there are conflicts.
	Refuse Resolution = iota
	// Mark writes an object with the values of both sides in the place of each conflict. Its
	// only member has the key [MarkKey]; the value of that is an object with the members
	// "base", "ours" and "theirs", without those that have no value. The result is valid
	// JSON, and can be edited and formatted like any other.
	Mark
	// PreferOurs takes the value of ours, and PreferTheirs that of theirs.
	PreferOurs
	PreferTheirs
)

// MarkKey is the key of the objects that [Mark] writes.
const MarkKey = splice.MarkKey

// Options are the options of a merge. The zero value of each field is its default.
type Options struct {
	// Resolution is what becomes of conflicts. Default: Refuse.
	Resolution Resolution
	// MaxDepth is the deepest nesting of arrays and objects. Default: 10,000; more than
	// 100,000 count as that.
	MaxDepth int
	// AllowDuplicateKeys accepts objects with duplicate keys; the last one counts.
	AllowDuplicateKeys bool
}

func (o *Options) limits() splice.Limits {
	return splice.Limits{Depth: o.MaxDepth, AllowDuplicateKeys: o.AllowDuplicateKeys}
}

// A Conflict is a value for which the two sides contradict each other.
type Conflict struct {
	// Path is where the value is in the result, or would be, in the syntax of
	// store.Doc.Get. The whole document is "@this".
	Path string `json:"path"`
	// Base, Ours and Theirs are the values, as they are spelled there. Nil stands for no
	// value: it was added, or removed. They share memory with what was merged.
	Base   json.RawMessage `json:"base,omitempty"`
	Ours   json.RawMessage `json:"ours,omitempty"`
	Theirs json.RawMessage `json:"theirs,omitempty"`
}

// String describes the conflict in one line. Long values are cut.
func (c Conflict) String() string {
	return fmt.Sprintf("%s: base %s, ours %s, theirs %s", c.Path, brief(c.Base), brief(c.Ours),
		brief(c.Theirs))
}

// brief is a value in one line, not too long.
func brief(raw json.RawMessage) string {
	const most = 60
	if raw == nil {
		return "absent"
	}
	text := string(raw[:min(len(raw), 4*most)])
	if strings.ContainsAny(text, "\n\r\t") {
		text = strings.Join(strings.Fields(text), " ")
	}
	if len(text) <= most && len(raw) <= 4*most {
		return text
	}
	end := min(most, len(text))
	for end > 0 && end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// Conflicts is the error of a merge with conflicts that are not resolved.
type Conflicts struct {
	List []Conflict // at least one
}

func (e *Conflicts) Error() string {
	text := "merge conflict at " + e.List[0].String()
	if more := len(e.List) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// Three merges the changes from base to ours and those from base to theirs. An empty text is
// an absent document; so is an empty result. Nil options are the defaults.
//
// If there are conflicts, the error is a *[Conflicts]. The result is nil then, but with
// [Mark] it has the conflicts in it. With [PreferOurs] and [PreferTheirs] there is no error:
// one side is taken.
//
// An invalid text is an error that names it, base, ours or theirs, with line and column. It
// is an error too if Mark would nest deeper than MaxDepth, or if the paths of the conflicts
// would take far more memory than the texts.
// The result may share memory with the texts, which must not be changed then.
func Three(base, ours, theirs []byte, opts *Options) ([]byte, error) {
	if opts == nil {
		opts = &Options{}
	}
	write, ok := map[Resolution]splice.Side{
		Refuse: splice.Ours, Mark: splice.Both,
		PreferOurs: splice.Ours, PreferTheirs: splice.Theirs,
	}[opts.Resolution]
	if !ok {
		return nil, fmt.Errorf("merge: there is no Resolution %d", opts.Resolution)
	}
	merged, clashes, err := splice.Three(base, ours, theirs, write, opts.limits())
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	if len(clashes) == 0 || write != splice.Both && opts.Resolution != Refuse {
		return merged, nil
	}
	found := &Conflicts{List: make([]Conflict, len(clashes))}
	for i, c := range clashes {
		found.List[i] = Conflict{docpath.Of(c.Way), c.Base, c.Ours, c.Theirs}
	}
	if opts.Resolution == Refuse {
		merged = nil
	}
	return merged, found
}

// Marks returns the paths of the conflicts in a document that [Mark] has left there, or an
// error if the document is invalid. Nil options are the defaults.
func Marks(data []byte, opts *Options) ([]string, error) {
	if opts == nil {
		opts = &Options{}
	}
	found, err := splice.Marks(data, opts.limits())
	if err != nil {
		return nil, fmt.Errorf("find conflicts: %w", err)
	}
	var paths []string
	for _, way := range found {
		paths = append(paths, docpath.Of(way.Way))
	}
	return paths, nil
}
