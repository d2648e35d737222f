// The laws of Three on documents in which nothing tells elements apart: repeated scalars,
// nested lists, objects without ids and with equal ones, duplicate keys.

package splice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// wild draws a value as text. Few different parts, so that many are equal.
func wild(t *rapid.T, depth int, duplicates bool) string {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 || kind < 2 {
		return rapid.SampledFrom([]string{"1", "1.0", "10e-1", "2", `"a"`, `"\u0061"`, "null",
			"true", "-0", "0", "{}", "[]"}).Draw(t, "scalar")
	}
	var parts []string
	count := rapid.IntRange(0, 4).Draw(t, "count")
	if kind < 4 {
		for range count {
			parts = append(parts, wild(t, depth-1, duplicates))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	var keys []string
	for range count {
		key := rapid.SampledFrom([]string{"id", "a", "b", "c"}).Draw(t, "key")
		if duplicates || !slices.Contains(keys, key) {
			keys = append(keys, key)
			parts = append(parts, `"`+key+`": `+wild(t, depth-1, duplicates))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// rewrite returns a text in which some of the parts of its top levels are others.
func rewrite(t *rapid.T, text string, depth int, duplicates bool) string {
	root, err := Parse([]byte(text), Limits{AllowDuplicateKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	if root.Kind < Array || depth == 0 || rapid.IntRange(0, 9).Draw(t, "whole") == 0 {
		return wild(t, depth, duplicates)
	}
	var parts []string
	for i := range root.parts() {
		start, _ := root.part(i)
		value := root.value(i)
		label, is := text[start:value.Start], text[value.Start:value.End]
		switch rapid.IntRange(0, 9).Draw(t, "fate") {
		case 0: // it is removed
		case 1, 2:
			parts = append(parts, label+rewrite(t, is, depth-1, duplicates))
		case 3:
			if root.Kind == Array { // one more, perhaps a copy
				parts = append(parts, is)
			}
			fallthrough
		default:
			parts = append(parts, label+is)
		}
	}
	if root.Kind == Array {
		if rapid.IntRange(0, 3).Draw(t, "add") == 0 {
			at := rapid.IntRange(0, len(parts)).Draw(t, "at")
			parts = slices.Insert(parts, at, wild(t, depth-1, duplicates))
		}
		if len(parts) > 1 && rapid.IntRange(0, 4).Draw(t, "move") == 0 {
			from := rapid.IntRange(0, len(parts)-1).Draw(t, "from")
			part := parts[from]
			parts = slices.Delete(parts, from, from+1)
			parts = slices.Insert(parts, rapid.IntRange(0, len(parts)).Draw(t, "to"), part)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// TestThreeWild: the identities hold, each result is valid, each clash has a mark, and is
// found whichever side is written.
func TestThreeWild(t *testing.T) {
	check(t, func(t *rapid.T) {
		duplicates := rapid.Bool().Draw(t, "duplicates")
		base := wild(t, 3, duplicates)
		ours, theirs := rewrite(t, base, 3, duplicates), rewrite(t, base, 3, duplicates)
		lim := Limits{AllowDuplicateKeys: duplicates}
		if rapid.Bool().Draw(t, "large") {
			lim.large = 1
		}
		three := func(base, ours, theirs string, write Side) (string, []Clash, string) {
			got, clashes, err := Three([]byte(base), []byte(ours), []byte(theirs), write, lim)
			all := fmt.Sprintf("base   %s\nours   %s\ntheirs %s\nmerged %s, %s", base, ours, theirs,
				got, clashText(clashes))
			if err == nil {
				err = Check(got, lim)
			}
			if err != nil {
				t.Fatalf("%s: %v", all, err)
			}
			return string(got), clashes, all
		}
		for _, law := range []struct{ base, ours, theirs, want string }{
			{base, base, theirs, theirs}, {base, ours, base, ours}, {base, ours, ours, ours},
		} {
			if got, clashes, all := three(law.base, law.ours, law.theirs, Both); got != law.want ||
				len(clashes) > 0 {
				t.Fatalf("%s\nwant   %s", all, law.want)
			}
		}
		// With other white space, the value is that of the side.
		spaced := " " + strings.ReplaceAll(base, ", ", " ,  ")
		got, clashes, all := three(base, spaced, theirs, Both)
		same, err := Equal([]byte(got), []byte(theirs), lim)
		if err != nil || !same || len(clashes) > 0 {
			t.Fatalf("%s\nas theirs: %v, %v", all, same, err)
		}
		marked, both, all := three(base, ours, theirs, Both)
		for _, write := range []Side{Ours, Theirs} {
			if _, one, other := three(base, ours, theirs, write); len(one) != len(both) {
				t.Fatalf("%s\none side: %s", all, other)
			}
		}
		if found, err := Marks([]byte(marked), lim); err != nil || len(found) != len(both) {
			t.Fatalf("%s\n%d marks, %v", all, len(found), err)
		}
	})
}

// TestThreeCounts: of lists of few different scalars, the result of a merge without a clash
// has each as often as the changes of both sides say: what both have added counts once or
// twice, and what both have removed too.
func TestThreeCounts(t *testing.T) {
	letters := []string{"a", "b", "c"}
	check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom(letters), 0, 6)
		base := list.Draw(t, "base")
		side := func(name string) []string {
			is := slices.Clone(base)
			for range rapid.IntRange(0, 3).Draw(t, name) {
				at := rapid.IntRange(0, len(is)).Draw(t, "at")
				switch letter := rapid.SampledFrom(letters).Draw(t, "letter"); {
				case at == len(is) || rapid.Bool().Draw(t, "insert"):
					is = slices.Insert(is, at, letter)
				case rapid.Bool().Draw(t, "remove"):
					is = slices.Delete(is, at, at+1)
				default:
					is[at] = letter
				}
			}
			return is
		}
		ours, theirs := side("ours"), side("theirs")
		text := func(list []string) []byte {
			text, err := json.Marshal(list)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		merged, clashes := sure(t, text(base), text(ours), text(theirs), Ours, 0)
		if len(clashes) > 0 {
			return
		}
		var result []string
		if err := json.NewDecoder(bytes.NewReader(merged)).Decode(&result); err != nil {
			t.Fatal(err)
		}
		count := func(list []string, letter string) (n int) {
			for _, is := range list {
				if is == letter {
					n++
				}
			}
			return n
		}
		for _, letter := range letters {
			b, o, th := count(base, letter), count(ours, letter), count(theirs, letter)
			n := count(result, letter)
			least := b + min(o-b, 0) + min(th-b, 0) + max(o-b, th-b, 0)
			most := b + max(o-b, 0) + max(th-b, 0)
			if n < least || n > most {
				t.Fatalf("base   %s\nours   %s\ntheirs %s\nmerged %s\n%d times %s, want %d to %d",
					base, ours, theirs, merged, n, letter, least, most)
			}
		}
	})
}
