// Reads JSON into the values that expressions work on.
//
// gojq's strings are UTF-8, which cannot encode half of a surrogate pair, as in
// "\ud800". If a document has such halves, each is replaced by a private-use character
// while the expression runs, so that it compares, moves and is stored like any other,
// and is written as a half again.

package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// The private-use characters that replace halves, from U+D800 on.
const (
	firstHalf       = 0xd800
	firstSubstitute = 0x10d800
	lastSubstitute  = 0x10dfff
)

// substitutes finds such a character in the input itself, escaped or not.
var substitutes = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[\x{10d800}-\x{10dfff}]|\\u[dD][bB][fF][67]`)
})

// reader reads JSON that has been checked.
type reader struct {
	data   []byte
	pos    int
	halves bool              // there are some
	keys   map[string]string // each key once
	order  *keyOrder         // nil if not needed
	texts  *texts            // nil if not needed
	needed *needed           // nil is all
}

// newReader checks JSON, and returns a reader for it.
func newReader(data []byte, lim splice.Limits) (*reader, error) {
	if err := splice.Check(data, lim); err != nil {
		return nil, err
	}
	return &reader{data: data, halves: splice.HasHalves(data), keys: map[string]string{}}, nil
}

func (r *reader) space() {
	for r.pos < len(r.data) && r.data[r.pos] <= ' ' {
		r.pos++
	}
}

// value reads the next value.
func (r *reader) value() any {
	r.space()
	switch c := r.data[r.pos]; c {
	case '{':
		return r.object()
	case '[':
		needed := r.needed
		r.needed = nil // a path of keys fails here: the error message shows the whole array
		elems := r.array()
		r.needed = needed
		return elems
	case '"':
		return r.text(splice.Unquote(r.quoted()))
	case 'n':
		r.pos += len("null")
		return nil
	case 't':
		r.pos += len("true")
		return true
	case 'f':
		r.pos += len("false")
		return false
	}
	return r.number()
}

// next moves to the next part of a container, or past its end.
func (r *reader) next(end byte) bool {
	r.space()
	c := r.data[r.pos]
	if c == ',' {
		r.pos++
		r.space()
		return true
	}
	if c == end {
		r.pos++
		return false
	}
	return true // the first part
}

func (r *reader) array() any {
	start := r.pos
	elems := []any{}
	for r.pos++; r.next(']'); {
		elems = append(elems, r.value())
	}
	elems = slices.Clip(elems)
	r.texts.add(elems, r.data[start:r.pos])
	return elems
}

func (r *reader) object() any {
	start := r.pos
	members := map[string]any{}
	var keys []string
	for r.pos++; r.next('}'); {
		key := r.key()
		r.space()
		r.pos++ // the colon
		if r.order != nil {
			keys = append(keys, key)
		}
		members[key] = r.member(key)
	}
	if r.order != nil {
		r.order.add(members, keys)
	}
	r.texts.add(members, r.data[start:r.pos])
	return members
}

// quoted returns the text of a string.
func (r *reader) quoted() []byte {
	start := r.pos
	for r.pos++; r.data[r.pos] != '"'; r.pos++ {
		if r.data[r.pos] == '\\' {
			r.pos++
		}
	}
	r.pos++
	return r.data[start:r.pos]
}

// maxKey is the longest key of which only one copy is kept.
const maxKey = 64

func (r *reader) key() string {
	text := r.quoted()
	if len(text) > maxKey {
		return r.text(splice.Unquote(text))
	}
	key, ok := r.keys[string(text)]
	if !ok {
		key = r.text(splice.Unquote(text))
		r.keys[string(text)] = key
	}
	return key
}

// text replaces halves by characters.
func (r *reader) text(text string) string {
	if !r.halves || !splice.HasHalf(text) {
		return text
	}
	var b strings.Builder
	for text != "" {
		if half := splice.HalfAt(text); half != 0 {
			b.WriteRune(half - firstHalf + firstSubstitute)
			text = text[3:]
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// halved is the inverse of reader.text.
func halved(text string) string {
	var out []byte
	for _, c := range text {
		if c >= firstSubstitute && c <= lastSubstitute {
			out = splice.AppendHalf(out, c-firstSubstitute+firstHalf)
		} else {
			out = utf8.AppendRune(out, c)
		}
	}
	return string(out)
}

// maxDigits is the number of digits that always fit into an int.
const maxDigits = 9 + 9*(strconv.IntSize/64)

// number reads a number. Numbers that are not computed with keep their digits.
func (r *reader) number() any {
	start, plain := r.pos, true
	for ; r.pos < len(r.data); r.pos++ {
		c := r.data[r.pos]
		if '0' <= c && c <= '9' || c == '-' && r.pos == start {
			continue
		}
		if c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			break
		}
		plain = false
	}
	text := string(r.data[start:r.pos])
	if plain && len(text) <= maxDigits && text != "-0" {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return json.Number(text)
}

// cannotTakeHalves are functions that would expose the substitute of a half.
var cannotTakeHalves = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`\b(explode|implode|utf8bytelength)\b|@(base64d?|base32d?|urid?)\b`)
})

// checkHalves returns an error if an expression could not preserve the halves in its
// inputs.
func checkHalves(expr string, texts ...[]byte) (halves bool, err error) {
	for _, text := range texts {
		halves = halves || splice.HasHalves(text)
	}
	if !halves {
		return false, nil
	}
	const what = `a string contains half of a surrogate pair, such as "\ud800"`
	if function := cannotTakeHalves().FindString(expr); function != "" {
		return true, fmt.Errorf("%s, which %s cannot handle", what, function)
	}
	for _, text := range append(texts, []byte(expr)) {
		if substitutes().Match(text) {
			return true, fmt.Errorf("%s, and a character from U+%X to U+%X is used too: "+
				"an expression cannot handle both", what, firstSubstitute, lastSubstitute)
		}
	}
	return true, nil
}
