// The values that expressions work on, read from JSON.
//
// A string of theirs is UTF-8, which has no bytes for half of a surrogate pair, as in
// "\ud800". Where there is one, each half is another character of those that are for
// private use, so that halves are compared, moved and stored like all characters, and is
// written as a half again.

package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// The private characters that stand for halves, of which U+D800 is the first.
const (
	firstHalf       = 0xd800
	firstSubstitute = 0x10d800
	lastSubstitute  = 0x10dfff
)

// substitutes finds such a character that is there by itself, be it as an escape.
var substitutes = regexp.MustCompile(`[\x{10d800}-\x{10dfff}]|\\u[dD][bB][fF][67]`)

// reader reads JSON that has been checked.
type reader struct {
	data   []byte
	pos    int
	halves bool              // there are some
	keys   map[string]string // each key once
	order  *keyOrder         // nil if nobody asks
	texts  *texts            // nil if nobody asks
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
		r.needed = nil // there are no keys in it: what is wrong then is told about all of it
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

// next goes on to the next part of a container, or past its end.
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

// text puts characters in the place of halves.
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

// halved is the reverse of reader.text.
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

// maxDigits is how many digits surely fit into an int.
const maxDigits = 9 + 9*(strconv.IntSize/64)

// number reads a number. All that is not computed with keeps its digits.
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

// cannotTakeHalves are functions that tell a half from the character in its place.
var cannotTakeHalves = regexp.MustCompile(
	`\b(explode|implode|utf8bytelength)\b|@(base64d?|base32d?|urid?)\b`)

// checkHalves complains if an expression could not keep the halves that are in one of the
// texts of JSON.
func checkHalves(expr string, texts ...[]byte) (halves bool, err error) {
	for _, text := range texts {
		halves = halves || splice.HasHalves(text)
	}
	if !halves {
		return false, nil
	}
	const what = `half of a surrogate pair, as "\ud800", is among the strings`
	if function := cannotTakeHalves.FindString(expr); function != "" {
		return true, fmt.Errorf("%s, which %s cannot take", what, function)
	}
	for _, text := range append(texts, []byte(expr)) {
		if substitutes.Match(text) {
			return true, fmt.Errorf("%s, and a character from U+%X to U+%X elsewhere: "+
				"an expression cannot take both", what, firstSubstitute, lastSubstitute)
		}
	}
	return true, nil
}
