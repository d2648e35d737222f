// Queries, which gjson answers: what may be asked, so that no path makes it crash, take
// memory without end, or answer with what is not JSON.

package docpath

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/jsonstore/jsonstore/internal/splice"
)

const (
	// longestQuery bounds the stack that gjson takes, which calls itself for what is
	// nested in a query.
	longestQuery = 4096
	// largestAnswer bounds the memory that gjson may take for what a query makes.
	largestAnswer = 1 << 30
)

// modifiers are those of gjson that are safe. Not among them: fromstr, which brings text
// that nobody has validated into the rest of the query (nested deep enough it overflows
// the stack, which nothing can catch); tostr, pretty, group and dig, whose answers can be
// as large as the document squared, or double at each use.
var modifiers = []string{"this", "keys", "values", "reverse", "flatten", "join", "ugly", "valid"}

// ask answers a query about a valid document, or a part of one. A fault of gjson remains:
// behind a pipe or #. it looks into the text of a string that has brackets.
func ask(raw []byte, path, query string, lim splice.Limits) (answer []byte, found bool, err error) {
	if problem := refuse(query, len(raw)); problem != "" {
		if len(path) > 100 {
			path = path[:100] + "…"
		}
		return nil, false, &Error{path, problem}
	}
	if raw[0] != '[' && raw[0] != '{' && (query[0] != '@' || strings.ContainsAny(query, ".|")) {
		// There is nothing in a scalar, but gjson looks for brackets in the text of a string.
		return nil, false, nil
	}
	if answer, found, handled, err := compare(raw, path, query, lim); handled {
		return answer, found, err
	}
	result := gjson.GetBytes(raw, query)
	if answer = []byte(result.Raw); !result.Exists() || len(answer) == 0 {
		return nil, false, nil
	}
	lim.AllowDuplicateKeys = true // {a,a} has what was asked for
	if err := splice.Check(answer, lim); err != nil {
		return nil, false, &Error{path, fmt.Sprintf("what the query answers is not JSON: %v", err)}
	}
	return answer, true, nil
}

// refuse says what is wrong with a query about so many bytes; empty is nothing.
func refuse(query string, size int) string {
	if len(query) > longestQuery {
		return fmt.Sprintf("a query may have %d bytes", longestQuery)
	}
	used, multipaths := 0, 0
	for i := range len(query) {
		before := opener(query, i)
		if before == 0 {
			continue
		}
		switch query[i] {
		case '@':
			rest := query[i+1:]
			name := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
			after := strings.TrimPrefix(rest, name)
			ended := after == "" || strings.IndexByte(".|,])}=!<>% ", after[0]) >= 0
			if !slices.Contains(modifiers, name) || !ended {
				return fmt.Sprintf("%.20q is none of the modifiers that a query may use, "+
					"which are @%s, without arguments; if it is a key, write a backslash before it",
					query[i:], strings.Join(modifiers, " @"))
			}
			used++
		case '!':
			if before != '(' { // there it begins a comparison
				return "a query may not hold literals; " +
					"if the ! is part of a key, write a backslash before it"
			}
		case ':':
			if before == '.' || before == '|' {
				return "behind a query a leading : is not understood; a component of digits is " +
					"a key on an object there, and \\: begins a key with a colon"
			}
		case '[', '{':
			multipaths++
		}
	}
	// A modifier can put brackets around each value, and a multipath repeats all that it
	// gets once for each of its parts, with their names before each if it is asked of
	// each element of an array.
	worst := size * (1 + 3*used)
	for range multipaths {
		parts := 1 + strings.Count(query, ",")
		if strings.Contains(query, "#") {
			parts += 6 * len(query)
		}
		if worst > largestAnswer/parts {
			return "the multipaths of the query could make an answer of more than 1 GiB " +
				"from this document; ask for its parts one by one"
		}
		worst *= parts
	}
	return ""
}

// opener is the byte after which query[i] begins a path to gjson: '.' at the beginning of
// the query, and 0 if it does not begin one. It errs to the safe side, since it heeds
// neither escapes nor quotes, which gjson does in some places only.
func opener(query string, i int) byte {
	if i == 0 {
		return '.'
	}
	if c := query[i-1]; strings.IndexByte(".|[{(,:", c) >= 0 {
		return c
	}
	// gjson trims the path in #( path == value).
	trimmed := strings.TrimRightFunc(query[:i], func(r rune) bool { return r <= ' ' })
	if len(trimmed) < i && trimmed != "" {
		if c := trimmed[len(trimmed)-1]; c == '(' || c == '[' {
			return c
		}
	}
	return 0
}
