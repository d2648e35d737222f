// The version token: its kinds and its text form.

package driver

import (
	"fmt"
	"strconv"
	"strings"
)

// A Version identifies one state of one document. Compare versions with ==, only for
// equality: they have no order. The zero Version is [Absent]. [ParseVersion] parses the
// text of a version. A version can be a map key.
type Version struct {
	text string // empty for Absent, so that the zero value is Absent
}

// Absent is the version of a document that does not exist.
var Absent = Version{}

// The kinds of version, by the letter that their text begins with.
const (
	KindAbsent   = '-' // the document does not exist
	KindHash     = 'h' // hash and length of the content
	KindMtime    = 'm' // modification time, size and inode
	KindRevision = 'r' // a number that the engine increments
	KindETag     = 'e' // an opaque tag of the engine
)

// HashVersion is the version of a content of size bytes with the 128-bit hash hi, lo.
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

// MtimeVersion is the version of a file with a modification time in nanoseconds since
// 1970, a size in bytes, an inode number, and an inode generation where it is known.
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

// ETagVersion is the version of an engine with opaque tags. The tag is not empty.
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

// MarshalText returns String, so that JSON can hold versions.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is ParseVersion.
func (v *Version) UnmarshalText(text []byte) error {
	parsed, err := ParseVersion(string(text))
	if err == nil {
		*v = parsed
	}
	return err
}

// ParseVersion parses what String prints, and nothing else: every version has one
// spelling, so versions are equal if their texts are. The error is ErrVersion.
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
			"such as h:<32 hex digits>-<length>, m:<mtime>-<size>-<inode>, or - for absent",
			ErrVersion, text)
	}
	return v, nil
}

func isLowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// isDecimal reports whether s is the only spelling of a number of at most so many bits.
func isDecimal(s string, bits int) bool {
	n, err := strconv.ParseUint(s, 10, bits)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// CheckKind returns ErrVersion for a version that is neither Absent nor of the engine's
// kind: such a version would conflict for ever.
func CheckKind(v Version, kind byte) error {
	if v.IsAbsent() || v.Kind() == kind {
		return nil
	}
	return fmt.Errorf("%w %s: this document's versions begin with \"%c:\"; "+
		"read it again to get one", ErrVersion, v, kind)
}
