// Queries, which gjson answers. This file restricts them, so that no path makes gjson
// crash, take unbounded memory, or return invalid JSON.

package docpath

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/jsonstore/jsonstore/internal/splice"
)

const (
	// longestQuery bounds the stack of gjson, which recurses over nested queries.
	longestQuery = 4096
	// largestAnswer bounds the memory that gjson may take for an answer.
	largestAnswer = 1 << 30
)

// modifiers are the safe modifiers of gjson. Left out are fromstr, which passes
// unvalidated text to the rest of the query (deep nesting overflows the stack, which
// cannot be recovered), and tostr, pretty, group and dig, whose answers can grow with
// the square of the document, or double at each use.
var modifiers = []string{"this", "keys", "values", "reverse", "flatten", "join", "ugly", "valid"}

// ask answers a query on a valid document or a part of one. A fault of gjson remains:
// after a pipe or #. it parses the text of a string that has brackets.
func ask(raw []byte, path, query string, lim splice.Limits) (answer []byte, found bool, err error) {
	if problem := refuse(query, len(raw)); problem != "" {
		if len(path) > 100 {
			path = path[:100] + "…"
		}
		return nil, false, &Error{path, problem}
	}
	if raw[0] != '[' && raw[0] != '{' && (query[0] != '@' || strings.ContainsAny(query, ".|")) {
		// A scalar has no parts, but gjson would parse brackets in the text of a
		// string.
		return nil, false, nil
	}
	if answer, found, handled, err := compare(raw, path, query, lim); handled {
		return answer, found, err
	}
	result := gjson.GetBytes(raw, query)
	if answer = []byte(result.Raw); !result.Exists() || len(answer) == 0 {
		return nil, false, nil
	}
	lim.AllowDuplicateKeys = true // the multipath {a,a} makes them
	if err := splice.Check(answer, lim); err != nil {
		return nil, false, &Error{path, fmt.Sprintf("the answer to the query is not JSON: %v", err)}
	}
	return answer, true, nil
}

// refuse returns why a query on a document of that size is refused, or "".
func refuse(query string, size int) string {
	if len(query) > longestQuery {
		return fmt.Sprintf("a query may have at most %d bytes", longestQuery)
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
				return fmt.Sprintf("%.20q is not one of the modifiers that a query may use, "+
					"which are @%s, without arguments; if it is a key, write a backslash before it",
					query[i:], strings.Join(modifiers, " @"))
			}
			used++
		case '!':
			if before != '(' { // there it begins a comparison
				return "a query may not contain literals; " +
					"if the ! is part of a key, write a backslash before it"
			}
		case ':':
			if before == '.' || before == '|' {
				return "after a query a leading : is not supported; a component of digits is " +
					"a key on an object there, and \\: begins a key with a colon"
			}
		case '[', '{':
			multipaths++
		}
	}
	// A modifier can put brackets around each value. A multipath repeats its whole
	// input once for each of its parts, and with #, for each element of an array, the
	// names of the parts too.
	worst := size * (1 + 3*used)
	for range multipaths {
		parts := 1 + strings.Count(query, ",")
		if strings.Contains(query, "#") {
			parts += 6 * len(query)
		}
		if worst > largestAnswer/parts {
			return "the multipaths of the query could make an answer of more than 1 GiB " +
				"from this document; query its parts one by one"
		}
		worst *= parts
	}
	return ""
}

// opener is the byte after which, for gjson, query[i] begins a path: '.' at the
// beginning of the query, and 0 if it begins none. It errs on the safe side: it ignores
// escapes and quotes, which gjson heeds in some places only.
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
