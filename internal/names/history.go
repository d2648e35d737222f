// The names of the kept versions of a document, its history.

package names

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Entry is what the name of a kept version says:
//
//	.NAME.<16 digits of Key><32 of Hash>[<16 of Transaction>][d].history
//
// The d is for a version that was deleted. Of a NAME of more than 180 bytes the name has
// what that of other files has for a long NAME.
type Entry struct {
	// Key orders the versions of a document: nanoseconds since 1970, when it was replaced.
	Key uint64
	// Hash is its content's, 32 digits.
	Hash string
	// Transaction is the transaction that has replaced it, its first 16 digits; empty if it
	// was none.
	Transaction string
	// Deleted: the document was deleted then.
	Deleted bool
}

const (
	keyDigits = 16
	// HashDigits is the number of digits in Entry.Hash.
	HashDigits    = 32
	byDigits      = 16
	deletedLetter = "d"
	zeros         = "0000000000000000" // keyDigits

	// longestKept is how many bytes a name may have that stands whole in those of its kept
	// versions.
	longestKept = 255 - len("..d") - keyDigits - HashDigits - byDigits - len(historySuffix)

	// historySwitch is the file that says of which documents of its directory the versions
	// are kept. No document has this name, nor a kept version, which has digits.
	historySwitch = ".jsonstore" + historySuffix
)

// History is the name of a kept version of the document at path.
func History(path string, e Entry) string {
	dir, base := filepath.Split(path)
	base, suffix := historyStem(base)
	by := e.Transaction
	if len(by) > byDigits {
		by = by[:byDigits]
	}
	if e.Deleted {
		by += deletedLetter
	}
	key := strconv.FormatUint(e.Key, 16)
	key = zeros[len(key):] + key
	return dir + "." + base + "." + key + e.Hash + by + suffix
}

// historyStem is what stands for the name of a document in those of its kept versions, and
// how these end.
func historyStem(name string) (stem, suffix string) {
	if len(name) <= longestKept {
		return name, historySuffix
	}
	return shortened(name), long(historySuffix)
}

// HistoryOf returns what the name of a kept version of the document base says, and whether
// it is one.
func HistoryOf(base, name string) (e Entry, ok bool) {
	stem, suffix := historyStem(base)
	if len(name) <= len(stem)+len(suffix)+2 || name[0] != '.' || name[1:1+len(stem)] != stem ||
		name[1+len(stem)] != '.' || !strings.HasSuffix(name, suffix) {
		return e, false
	}
	return parseEntry(name[len(stem)+2 : len(name)-len(suffix)])
}

// parseEntry reads the digits of a kept version.
func parseEntry(digits string) (e Entry, ok bool) {
	digits, e.Deleted = strings.CutSuffix(digits, deletedLetter)
	if e.Deleted && len(digits)%2 != 0 { // the letter is a digit too
		digits, e.Deleted = digits+deletedLetter, false
	}
	if len(digits) != keyDigits+HashDigits && len(digits) != keyDigits+HashDigits+byDigits ||
		strings.Trim(digits, "0123456789abcdef") != "" {
		return Entry{}, false
	}
	e.Hash = digits[keyDigits : keyDigits+HashDigits]
	e.Transaction = digits[keyDigits+HashDigits:]
	key, err := strconv.ParseUint(digits[:keyDigits], 16, 64)
	e.Key = key
	return e, err == nil
}

// keptFrom returns a name without the digits of a kept version, if it has some.
func keptFrom(rest string) (document string) {
	dot := strings.LastIndexByte(rest, '.')
	if dot <= 0 {
		return rest
	}
	if _, ok := parseEntry(rest[dot+1:]); !ok {
		return rest
	}
	return rest[:dot]
}

// HistorySwitch is the file that says whether versions of the document at path are kept.
func HistorySwitch(path string) string {
	dir, _ := filepath.Split(path)
	return dir + historySwitch
}

// IsHistorySwitch reports whether a path is that of such a file.
func IsHistorySwitch(path string) bool { return filepath.Base(path) == historySwitch }
