// Package names has the names of the store's own files, all beside the document NAME that
// they are for:
//
//	.NAME.lock             the file that is locked
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
	// Places is how many places a document's row has.
	Places = 8
	// GuardedDigits is how many digits a guard's file has.
	GuardedDigits = 36

	lockSuffix      = ".lock"
	temporarySuffix = ".tmp"
	intentSuffix    = ".tx"
	randomDigits    = 16

	// Longest is how many bytes the name of a document may have, so that each of its files
	// still fits in the 255 that file systems allow.
	Longest = 255 - len(".") - len(".") - GuardedDigits - len(temporarySuffix)
)

// reservedSuffixes are what the names of the store's own files end with, beside those of
// temporary files: .NAME.lock, and those that later versions may make.
var reservedSuffixes = [...]string{lockSuffix, intentSuffix, ".kept", ".history"}

// beside is a name of the store's own beside the document at path.
func beside(path, suffix string) string {
	dir, base := filepath.Split(path)
	return dir + "." + base + suffix
}

// Lock is the lock file of the document at path.
func Lock(path string) string { return beside(path, lockSuffix) }

// Intent is the intent of a guard on it.
func Intent(path string) string { return beside(path, intentSuffix) }

// Place is a place in its row, from 0 on.
func Place(path string, place int) string {
	return beside(path, "."+strconv.Itoa(place)+temporarySuffix)
}

// Random is a name that is not in its row.
func Random(path string, random uint64) string {
	return beside(path, fmt.Sprintf(".%0*x%s", randomDigits, random, temporarySuffix))
}

// Guarded is the file of a guard.
func Guarded(path, digits string) string {
	return beside(path, "."+digits+temporarySuffix)
}

// Temporary returns the name of the document that a temporary file is for, and the digits
// by which it differs from others.
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

// Own returns the name of the document whose file a name is that the store takes for
// itself.
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
