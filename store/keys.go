// The keys that a directory of documents accepts, and the suffix of their files.

package store

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	keySuffix  = ".json"
	maxKeyPart = 200
)

// checkKey accepts keys that name the same document on every system: slash-separated
// parts without special meaning to any file system, shell or Windows.
func checkKey(key string) error {
	problem := ""
	switch {
	case key == "":
		problem = "it is empty"
	case !utf8.ValidString(key):
		problem = "it is not valid UTF-8"
	case strings.ContainsRune(key, '\\'):
		problem = "it has a backslash; separate parts by /"
	case strings.ContainsFunc(key, unicode.IsControl):
		problem = "it has a control character"
	case strings.ContainsAny(key, `<>:"|?*`):
		problem = "it has one of < > : \" | ? *, which Windows does not allow"
	}
	for part := range strings.SplitSeq(key, "/") {
		if problem != "" {
			break
		}
		base, _, _ := strings.Cut(part, ".")
		switch {
		case part == "":
			problem = "it has an empty part"
		case part[0] == '.':
			problem = fmt.Sprintf("part %q begins with a dot", part)
		case strings.HasSuffix(part, ".") || strings.TrimSpace(part) != part:
			problem = fmt.Sprintf("part %q begins or ends with a space, or ends with a dot", part)
		case len(part) > maxKeyPart:
			problem = fmt.Sprintf("a part has %d bytes, more than %d", len(part), maxKeyPart)
		case isWindowsDevice(base):
			problem = fmt.Sprintf("part %q is a device on Windows", part)
		}
	}
	if problem != "" {
		return fmt.Errorf("%w: %s", ErrKey, problem)
	}
	return nil
}

func isWindowsDevice(base string) bool {
	base = strings.ToUpper(strings.TrimSpace(base))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, device := range []string{"COM", "LPT"} {
		if digit, ok := strings.CutPrefix(base, device); ok {
			switch digit {
			case "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
				return true
			}
		}
	}
	return false
}
