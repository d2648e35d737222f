// The version token: what it is made of and how it reads as text.

package driver

import (
	"fmt"
	"strconv"
	"strings"
)

// A Version identifies one state of one document. Compare versions with ==,
// only for equality: they have no order. The zero Version is [Absent]. A version
// prints as text that [ParseVersion] reads back, and can be a map key.
type Version struct {
	text string // without the text of Absent, so that the zero value is Absent
}

// Absent is the version of a document that is not there.
var Absent = Version{}

// The kinds of version, by the letter that their text begins with.
const (
	KindAbsent   = '-' // the document is not there
	KindHash     = 'h' // hash and length of the content
	KindMtime    = 'm' // modification time, size and inode
	KindRevision = 'r' // a number that the engine counts up
	KindETag     = 'e' // an opaque tag that the engine gives
)

// HashVersion is the version of a content whose 128-bit hash is hi, lo and which
// is size bytes long.
func HashVersion(hi, lo uint64, size int64) Version {
	var buf [56]byte
	b := append(buf[:0], "h:"...)
	b = appendHex16(b, hi)
	b = appendHex16(b, lo)
	b = append(b, '-')
	b = strconv.AppendInt(b, size, 10)
	return Version{string(b)}
}

func appendHex16(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}

// MtimeVersion is the version of a file by its modification time in nanoseconds since
// 1970, size in bytes, inode number, and inode generation where that is known.
func MtimeVersion(mtime, size int64, inode, generation uint64, hasGeneration bool) Version {
	var buf [96]byte
	b := append(buf[:0], "m:"...)
	b = strconv.AppendInt(b, mtime, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, size, 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, inode, 10)
	if hasGeneration {
		b = append(b, '-')
		b = strconv.AppendUint(b, generation, 10)
	}
	return Version{string(b)}
}

// RevisionVersion is the version of an engine that numbers its revisions.
func RevisionVersion(n uint64) Version {
	return Version{"r:" + strconv.FormatUint(n, 10)}
}

// ETagVersion is the version of an engine that gives an opaque tag, not empty.
func ETagVersion(tag string) Version { return Version{"e:" + tag} }

// Kind is the letter of the version's kind.
func (v Version) Kind() byte {
	if v.text == "" {
		return KindAbsent
	}
	return v.text[0]
}

// IsAbsent reports whether v is Absent.
func (v Version) IsAbsent() bool { return v.text == "" }

// String returns the text of v: "-" for Absent, else a letter for the kind, a
// colon and the kind's own fields.
func (v Version) String() string {
	if v.text == "" {
		return "-"
	}
	return v.text
}

// MarshalText returns String, so that versions can stand in JSON.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is ParseVersion.
func (v *Version) UnmarshalText(text []byte) error {
	parsed, err := ParseVersion(string(text))
	if err == nil {
		*v = parsed
	}
	return err
}

// ParseVersion reads what String prints and nothing else: every version has one
// spelling, so that parsing and comparing as text are the same. The error is ErrVersion.
func ParseVersion(text string) (Version, error) {
	if text == "-" {
		return Absent, nil
	}
	v := Version{text}
	fields, ok := "", false
	if len(text) > 2 && text[1] == ':' {
		fields, ok = text[2:], true
	}
	if ok {
		switch text[0] {
		case KindHash:
			hash, size, found := strings.Cut(fields, "-")
			ok = found && len(hash) == 32 && isLowerHex(hash) && isDecimal(size, 63)
		case KindMtime:
			mtime, rest, found := strings.Cut(strings.TrimPrefix(fields, "-"), "-")
			negative := fields[0] == '-'
			parts := strings.Split(rest, "-")
			ok = found && isDecimal(mtime, 63) && !(negative && mtime == "0") &&
				(len(parts) == 2 || len(parts) == 3) && isDecimal(parts[0], 63)
			for _, part := range parts[1:] {
				ok = ok && isDecimal(part, 64)
			}
		case KindRevision:
			ok = isDecimal(fields, 64)
		case KindETag:
		default:
			ok = false
		}
	}
	if !ok {
		return Absent, fmt.Errorf("%w %q: want what Read or \"jsonstore version\" printed, "+
			"as in h:<32 hex digits>-<length>, m:<mtime>-<size>-<inode>, or - for absent", ErrVersion, text)
	}
	return v, nil
}

func isLowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// isDecimal reports whether s is the one spelling of a number of so many bits.
func isDecimal(s string, bits int) bool {
	n, err := strconv.ParseUint(s, 10, bits)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// CheckKind is ErrVersion for a version that is neither Absent nor of the kind that an
// engine gives out: such a one would conflict for ever.
func CheckKind(v Version, kind byte) error {
	if v.IsAbsent() || v.Kind() == kind {
		return nil
	}
	return fmt.Errorf("%w %s: this document's versions begin with \"%c:\"; read it again to get one", ErrVersion, v, kind)
}
