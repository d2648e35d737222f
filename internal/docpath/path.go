// Package docpath reads and edits one place in a JSON document, named by a path in the
// syntax of gjson and sjson. This file parses paths.
package docpath

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// An Error says that a path is unusable, whatever the document.
type Error struct {
	Path    string
	Problem string
}

func (e *Error) Error() string { return fmt.Sprintf("path %q: %s", e.Path, e.Problem) }

// whole is the path of the whole document.
const whole = "@this"

// step is one component of a path.
type step struct {
	key     string // without escapes
	literal bool   // a key, even if it looks like an index
}

// index is the array index that the step names; -1 is the end.
func (s step) index() (int, bool) {
	if s.literal {
		return 0, false
	}
	if s.key == "-1" {
		return -1, true
	}
	if s.key == "" || strings.Trim(s.key, "0123456789") != "" || len(s.key) > 1 && s.key[0] == '0' {
		return 0, false
	}
	n, err := strconv.Atoi(s.key)
	if err != nil {
		n = int(^uint(0) >> 1) // beyond the end of any array
	}
	return n, true
}

// parse splits a path into its steps. The rest from the first query component on is for
// gjson, and can only be read.
func parse(path string) (steps []step, query string, err error) {
	if path == "" {
		return nil, "", &Error{path, `it is empty; use ":" for the empty key, ` +
			`or "@this" for the whole document`}
	}
	if !utf8.ValidString(path) {
		return nil, "", &Error{path, "it is not valid UTF-8, which keys always are"}
	}
	if path == whole {
		return nil, "", nil
	}
	var key strings.Builder
	current := step{}
	begin := 0 // of the component
	start := true
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '.':
			current.key = key.String()
			steps = append(steps, current)
			key.Reset()
			current, start, begin = step{}, true, i+1
			continue
		case c == '\\':
			if i++; i == len(path) {
				return nil, "", &Error{path, "it ends with a backslash; escape it with another"}
			}
			if start {
				current.literal = true
			}
			key.WriteByte(path[i])
		case start && c == ':':
			current.literal = true
		case strings.IndexByte("*?|", c) >= 0 || start && strings.IndexByte("#@!{[", c) >= 0:
			return steps, path[begin:], nil
		default:
			key.WriteByte(c)
		}
		start = false
	}
	current.key = key.String()
	return append(steps, current), "", nil
}

// parseEdit is parse for an edit, which takes no query.
func parseEdit(path string) ([]step, error) {
	steps, query, err := parse(path)
	if query != "" {
		err = &Error{path, "it is a query, because of * ? | or, at the beginning of a part, " +
			"# @ ! { [; an edit needs an exact path: write a backslash before a character " +
			"that is part of a key"}
	}
	return steps, err
}

// Check returns an *Error if a path is unusable, whatever the document: for an edit, or
// else for Get.
func Check(path string, edit bool) error {
	if edit {
		_, err := parseEdit(path)
		return err
	}
	_, _, err := parse(path)
	return err
}

// Escape returns a path component that names exactly this key.
func Escape(key string) string {
	var b strings.Builder
	// Else it would read as an index, as empty, or as a forced key.
	if _, isIndex := (step{key: key}).index(); isIndex || key == "" || key[0] == ':' {
		b.WriteByte(':')
	}
	for i := range len(key) {
		if strings.IndexByte(`.\*?|#@!{[`, key[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(key[i])
	}
	return b.String()
}

// Join returns the path of nested keys.
func Join(keys ...string) string {
	escaped := make([]string, len(keys))
	for i, key := range keys {
		escaped[i] = Escape(key)
	}
	return strings.Join(escaped, ".")
}

// Of returns the path of the value that steps lead to.
func Of(way []splice.Step) string {
	if len(way) == 0 {
		return whole
	}
	parts := make([]string, len(way))
	for i, s := range way {
		if s.Index == splice.Nowhere {
			parts[i] = Escape(s.Key)
		} else {
			parts[i] = strconv.Itoa(s.Index)
		}
	}
	return strings.Join(parts, ".")
}

// upTo is the path of the first n steps, for messages.
func upTo(steps []step, n int) string {
	if n == 0 {
		return "the document"
	}
	keys := make([]string, n)
	for i := range n {
		keys[i] = steps[i].key
	}
	return strings.Join(keys, ".")
}
