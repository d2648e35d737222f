// The names of documents that were moved aside.

package names

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// The reasons why a document is moved aside.
const (
	Invalid  = "invalid"
	Replaced = "replaced"
)

const asideTime = "20060102T150405Z"

// Aside returns the name of the document at path when it is moved aside: in no directory of
// documents is that a document. Number distinguishes those of one second; it is 0 first.
func Aside(path, reason string, at time.Time, number uint32) string {
	dir, base := filepath.Split(path)
	base, _ = stem(base)
	name := dir + base + "." + reason + "-" + at.UTC().Format(asideTime)
	if number > 0 {
		name += fmt.Sprintf("-%d", number)
	}
	return name
}

// IsAside returns the document of which a name is one that was moved aside, of a long one its
// stem.
func IsAside(name string) (document string, ok bool) {
	for _, reason := range [...]string{Invalid, Replaced} {
		dot := strings.LastIndex(name, "."+reason+"-")
		if dot <= 0 {
			continue
		}
		at, number, numbered := strings.Cut(name[dot+len(reason)+2:], "-")
		_, err := time.Parse(asideTime, at)
		digits := strings.Trim(number, "0123456789") == "" && (number != "" || !numbered)
		if err == nil && digits {
			return name[:dot], true
		}
	}
	return "", false
}

// IsAsideOf reports whether a name is that of the document base, moved aside.
func IsAsideOf(base, name string) bool {
	document, ok := IsAside(name)
	own, _ := stem(base)
	return ok && document == own
}
