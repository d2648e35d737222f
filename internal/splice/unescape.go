// Decoding and encoding of strings.
//
// JSON can express half of a surrogate pair, as in "\ud800", which UTF-8 cannot encode.
// Here it is decoded to the three bytes of generalized UTF-8, as in WTF-8
// (https://simonsapin.github.io/wtf-8/). These bytes occur in no document, since they
// are not valid UTF-8. So two decoded strings are equal if and only if their code units
// are.

package splice

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// decode decodes the text of a valid string, with its quotes.
func decode(text []byte, escaped bool) []byte {
	text = text[1 : len(text)-1]
	if !escaped {
		return text
	}
	out := make([]byte, 0, len(text))
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 {
			return append(out, text...)
		}
		out = append(out, text[:at]...)
		c := text[at+1]
		text = text[at+2:]
		switch c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			var r rune
			r, text = codePoint(text)
			if utf16.IsSurrogate(r) {
				out = AppendHalf(out, r)
			} else {
				out = utf8.AppendRune(out, r)
			}
		default: // a quote, a backslash or a slash
			out = append(out, c)
		}
	}
}

// codePoint reads the digits after \u, and the next escape if the two are a surrogate
// pair.
func codePoint(text []byte) (r rune, rest []byte) {
	r, rest = hex(text), text[4:]
	if !utf16.IsSurrogate(r) || len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
		return r, rest
	}
	if pair := utf16.DecodeRune(r, hex(rest[2:])); pair != utf8.RuneError {
		return pair, rest[6:]
	}
	return r, rest
}

// hex is the value of four hex digits.
func hex(digits []byte) (r rune) {
	for _, c := range digits[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// AppendHalf appends half of a surrogate pair to decoded text.
func AppendHalf(out []byte, half rune) []byte {
	return append(out, 0xe0|byte(half>>12), 0x80|byte(half>>6)&0x3f, 0x80|byte(half)&0x3f)
}

// HalfAt returns the half of a surrogate pair that decoded text begins with, or 0 if it
// does not.
func HalfAt[T string | []byte](text T) rune {
	if len(text) < 3 || text[0] != 0xed || text[1]&0xe0 != 0xa0 || text[2]&0xc0 != 0x80 {
		return 0
	}
	return 0xd000 | rune(text[1]&0x3f)<<6 | rune(text[2]&0x3f)
}

// HasHalf reports whether decoded text contains half of a surrogate pair.
func HasHalf[T string | []byte](text T) bool {
	for i := 0; i+2 < len(text); i++ {
		if text[i] == 0xed && HalfAt(text[i:]) != 0 {
			return true
		}
	}
	return false
}

// HasHalves reports whether JSON text has an escape of half of a surrogate pair.
func HasHalves(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 || at+1 == len(text) {
			return false
		}
		text = text[at+1:]
		if len(text) < 5 || text[0] != 'u' || slices.ContainsFunc(text[1:5], notHex) {
			text = text[1:]
			continue
		}
		var r rune
		if r, text = codePoint(text[1:]); utf16.IsSurrogate(r) {
			return true
		}
	}
}

func notHex(c byte) bool { return !isHex(c) }

// lossy returns decoded text as encoding/json would: half of a pair is U+FFFD.
func lossy(text []byte) []byte {
	if !HasHalf(text) {
		return text
	}
	var out []byte
	for len(text) > 0 {
		if HalfAt(text) != 0 {
			out, text = utf8.AppendRune(out, utf8.RuneError), text[3:]
			continue
		}
		out, text = append(out, text[0]), text[1:]
	}
	return out
}

// Quote writes a string as JSON, without the escapes that only HTML needs.
func Quote(text string) []byte { return AppendQuote(nil, text) }

// AppendQuote appends a string as JSON. Invalid UTF-8 becomes U+FFFD, except for half
// of a surrogate pair, which Unquote and Member.Key may return: it is written as its
// escape.
func AppendQuote(out []byte, text string) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if isPlain[c] {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			switch half := HalfAt(text[i:]); {
			case half != 0:
				r, size = half, 3
			case r == utf8.RuneError && size == 1:
			case r == '\u2028' || r == '\u2029': // which JavaScript once took for line ends
			default:
				i += size
				continue
			}
			out = append(out, text[from:i]...)
			out = append(out, '\\', 'u',
				digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
			i += size
			from = i
			continue
		}
		out = append(out, text[from:i]...)
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, '\\', 'b')
		case '\f':
			out = append(out, '\\', 'f')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		from = i
	}
	return append(append(out, text[from:]...), '"')
}

// Unquote decodes the text of a JSON string, with its quotes. See HasHalf.
func Unquote(text []byte) string {
	return string(decode(text, bytes.IndexByte(text, '\\') >= 0))
}
