// The strict scanner, on which everything else is built. It also checks whole
// documents. tree.go builds nodes from its results.

package splice

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Check checks that data is exactly one JSON value by RFC 8259, with only white space
// around it: valid UTF-8, no byte order mark, no duplicate keys in an object. An
// escaped half of a surrogate pair is accepted, as by encoding/json: it is one code
// unit of a string, and different from all others. The error is a *SyntaxError.
func Check(data []byte, lim Limits) error {
	few := struct { // one allocation, for most documents
		source
		keys [8][]byte
	}{source: source{data: data}}
	s := scanner{source: &few.source, keys: few.keys[:0], lim: lim, left: lim.depth()}
	return s.document(nil)
}

type scanner struct {
	*source
	pos  int
	lim  Limits
	left int      // levels that may still be opened
	keys [][]byte // decoded keys of the open objects, outer ones first
	tree tree
	way  *way // the search for one place, see locate.go
}

func (s *scanner) fail(at int, format string, args ...any) error {
	before := s.data[:min(at, len(s.data))]
	return &SyntaxError{
		Offset: at,
		Line:   1 + bytes.Count(before, []byte{'\n'}),
		Column: len(before) - bytes.LastIndexByte(before, '\n'),
		Msg:    fmt.Sprintf(format, args...),
	}
}

// unexpected is the error for the input at pos.
func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.data) {
		return s.fail(s.pos, "unexpected end of the document, want %s", want)
	}
	r, size := utf8.DecodeRune(s.data[s.pos:])
	if r == utf8.RuneError && size == 1 {
		return s.fail(s.pos, "invalid UTF-8")
	}
	return s.fail(s.pos, "unexpected %q, want %s", r, want)
}

func (s *scanner) space() {
	for s.pos < len(s.data) && s.data[s.pos] <= ' ' {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) document(into *Node) error {
	if bytes.HasPrefix(s.data, []byte("\xef\xbb\xbf")) {
		return s.fail(0, "the document begins with a byte order mark, which JSON does not allow")
	}
	s.space()
	if s.pos == len(s.data) {
		return s.fail(s.pos, "the document is empty")
	}
	if err := s.value(into); err != nil {
		return err
	}
	s.space()
	if s.pos < len(s.data) {
		return s.fail(s.pos, "trailing data after the document")
	}
	return nil
}

func (s *scanner) value(into *Node) (err error) {
	if s.pos >= len(s.data) {
		return s.unexpected("a value")
	}
	start, kind := s.pos, Null
	switch c := s.data[s.pos]; {
	case (c == '{' || c == '[') && s.way != nil:
		return s.onWay(into, 0)
	case c == '{' || c == '[':
		return s.container(into)
	case c == '"':
		kind = String
		_, err = s.str()
	case c == '-' || '0' <= c && c <= '9':
		kind, err = Number, s.number()
	case c == 'n':
		err = s.word("null")
	case c == 't':
		kind, err = True, s.word("true")
	case c == 'f':
		kind, err = False, s.word("false")
	default:
		err = s.unexpected("a value")
	}
	if into != nil {
		*into = Node{Kind: kind, Start: start, End: s.pos}
	}
	return err
}

func (s *scanner) word(word string) error {
	for i := range len(word) {
		if s.pos+i >= len(s.data) || s.data[s.pos+i] != word[i] {
			s.pos += i
			return s.unexpected(word)
		}
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) digits() error {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	if s.pos == start {
		return s.unexpected("a digit")
	}
	return nil
}

func (s *scanner) number() error {
	if s.data[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.data) && s.data[s.pos] == '0' {
		s.pos++
		if s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
			return s.fail(s.pos, "a number may not begin with 0")
		}
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

// str scans a string and reports whether it has escapes.
func (s *scanner) str() (escaped bool, err error) {
	start := s.pos
	s.pos++
	for {
		s.plain()
		if s.pos >= len(s.data) {
			return escaped, s.fail(start, "unterminated string")
		}
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			return escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return true, err
			}
		case c < 0x20:
			return escaped, s.fail(s.pos, "control character %q in a string; escape it", c)
		default:
			r, size := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && size == 1 {
				return escaped, s.fail(s.pos, "invalid UTF-8")
			}
			s.pos += size
		}
	}
}

// isPlain are the bytes that need no escape in a string and no check: ASCII without
// control characters, quote and backslash.
var isPlain = func() (all [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		all[c] = c != '"' && c != '\\'
	}
	return all
}()

// plain moves to the next byte of a string that is not plain: byte by byte at first,
// then word by word.
func (s *scanner) plain() {
	data, pos := s.data, s.pos
	for most := min(pos+24, len(data)); pos < most; pos++ {
		if !isPlain[data[pos]] {
			s.pos = pos
			return
		}
	}
	for ; len(data)-pos >= 32; pos += 32 {
		words := data[pos : pos+32]
		if special(words[0:8])|special(words[8:16])|
			special(words[16:24])|special(words[24:32]) != 0 {
			break
		}
	}
	for pos < len(data) && isPlain[data[pos]] {
		pos++
	}
	s.pos = pos
}

// special is nonzero if one of eight bytes is not plain. Each test sets the highest bit
// of the first byte that meets it, and perhaps of later ones. See
// https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord.
func special(eight []byte) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	word := binary.LittleEndian.Uint64(eight)
	quote, backslash := word^(ones*'"'), word^(ones*'\\')
	return (word | (word - ones*0x20) | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
}

func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		s.pos++
		return s.unexpected("an escape")
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		for i := s.pos + 2; i < s.pos+6; i++ {
			if i >= len(s.data) || !isHex(s.data[i]) {
				s.pos = i
				return s.unexpected("four hex digits")
			}
		}
		s.pos += 6
		return nil
	}
	s.pos++
	return s.unexpected(`one of " \ / b f n r t u`)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// container scans an array or object. Its parts go into the tree if they are wanted.
func (s *scanner) container(into *Node) error {
	start, kind := s.pos, Array
	if s.data[s.pos] == '{' {
		kind = Object
	}
	parts := into != nil && start < s.tree.until && s.tree.levels > 0
	if parts {
		s.tree.levels--
	}
	if s.left == 0 {
		return s.fail(start, "nested deeper than %d levels", s.lim.depth())
	}
	s.left--
	s.pos++
	s.space()
	members, elems := len(s.tree.members), len(s.tree.elems)
	var err error
	count := 0
	if kind == Object {
		err = s.object(parts)
	} else {
		count, err = s.array(parts)
	}
	if err != nil {
		return err
	}
	s.left++
	if parts {
		s.tree.levels++
	}
	if into != nil {
		*into = Node{Kind: kind, Start: start, End: s.pos}
		into.count = uint32(min(uint(count), math.MaxUint32))
		s.tree.close(into, parts, members, elems)
	}
	return nil
}

func (s *scanner) array(parts bool) (count int, err error) {
	if s.pos < len(s.data) && s.data[s.pos] == ']' {
		s.pos++
		return 0, nil
	}
	var elem Node
	into := &elem
	if !parts {
		into = nil
	}
	for {
		if err := s.value(into); err != nil {
			return count, err
		}
		count++
		if parts {
			s.tree.elems = push(s.tree.elems, elem)
		}
		if done, err := s.next(']'); done || err != nil {
			return count, err
		}
	}
}

// next moves from a value in a container to the next one, or past the end.
func (s *scanner) next(end byte) (done bool, err error) {
	s.space()
	if s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ',':
			s.pos++
			s.space()
			return false, nil
		case end:
			s.pos++
			return true, nil
		}
	}
	return false, s.unexpected(fmt.Sprintf("',' or '%c'", end))
}

func (s *scanner) object(parts bool) error {
	if s.pos < len(s.data) && s.data[s.pos] == '}' {
		s.pos++
		return nil
	}
	var member Member
	into := &member.Value
	if !parts {
		into = nil
	}
	first := len(s.keys)
	var many keySet
	var key keyText
	for {
		if err := s.memberKey(&key, first, &many); err != nil {
			return err
		}
		if err := s.value(into); err != nil {
			return err
		}
		if parts {
			member.Key, member.KeyStart, member.KeyEnd = s.key(key), key.start, key.end
			s.tree.members = push(s.tree.members, member)
		}
		if done, err := s.next('}'); done || err != nil {
			s.keys = s.keys[:first]
			return err
		}
	}
}
