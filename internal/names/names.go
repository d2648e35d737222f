// Package names has the names of the files that the store keeps beside a document NAME:
//
//	.NAME.lock             the lock file
//	.NAME.<1 digit>.tmp    a staged version, in a place of the document's row
//	.NAME.<16 digits>.tmp  a staged version, while the row is full
//	.NAME.<36 digits>.tmp  a staged or displaced version of a guard
//	.NAME.tx               the intent of a guard: a symbolic link to these 36 digits
//
// No document can have such a name. The digits are hexadecimal.
package names

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// Places is the number of places in a document's row.
	Places = 8
	// GuardedDigits is the number of digits in the name of a guard's file.
	GuardedDigits = 36

	lockSuffix      = ".lock"
	temporarySuffix = ".tmp"
	intentSuffix    = ".tx"
	randomDigits    = 16

	// Longest is the length in bytes of the longest name of a document. The longest name of
	// a file beside it then has the 255 bytes that file systems allow.
	Longest = 255 - len(".") - len(".") - GuardedDigits - len(temporarySuffix)
)

// reservedSuffixes are the endings of the store's names other than those of temporary files.
// Some of them are for later versions of the store.
var reservedSuffixes = [...]string{lockSuffix, intentSuffix, ".kept", ".history"}

// beside returns a name of the store beside the document at path.
func beside(path, suffix string) string {
	dir, base := filepath.Split(path)
	return dir + "." + base + suffix
}

// Lock returns the name of the lock file of the document at path.
func Lock(path string) string { return beside(path, lockSuffix) }

// Intent returns the name of the intent of a guard on it.
func Intent(path string) string { return beside(path, intentSuffix) }

// Place returns the name of a place in its row. Places have numbers from 0 on.
func Place(path string, place int) string {
	return beside(path, "."+strconv.Itoa(place)+temporarySuffix)
}

// Random returns the name of a staged version that is not in its row.
func Random(path string, random uint64) string {
	return beside(path, fmt.Sprintf(".%0*x%s", randomDigits, random, temporarySuffix))
}

// Guarded returns the name of a guard's file.
func Guarded(path, digits string) string {
	return beside(path, "."+digits+temporarySuffix)
}

// Temporary splits the name of a temporary file into the name of its document and the digits.
func Temporary(name string) (base, digits string, ok bool) {
	rest, dotted := strings.CutPrefix(name, ".")
	rest, suffixed := strings.CutSuffix(rest, temporarySuffix)
	dot := strings.LastIndexByte(rest, '.')
	if !dotted || !suffixed || dot <= 0 {
		return "", "", false
	}
	base, digits = rest[:dot], rest[dot+1:]
	switch len(digits) {
	case 1:
		ok = digits[0] >= '0' && digits[0] < '0'+Places
	case randomDigits, GuardedDigits:
		ok = strings.Trim(digits, "0123456789abcdef") == ""
	}
	return base, digits, ok
}

// Own reports whether a name is one of the store's, and returns the name of its document.
func Own(name string) (document string, own bool) {
	if document, _, ok := Temporary(name); ok {
		return document, true
	}
	rest, dotted := strings.CutPrefix(name, ".")
	for _, suffix := range reservedSuffixes {
		if document, ok := strings.CutSuffix(rest, suffix); ok && dotted && document != "" {
			return document, true
		}
	}
	return "", false
}
