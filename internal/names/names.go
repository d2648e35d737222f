// Package names has the names of the files that the store keeps beside a document NAME:
//
//	.NAME.lock             the lock file
//	.NAME.<1 digit>.tmp    a staged version, in a place of the document's row
//	.NAME.<16 digits>.tmp  a staged version, while the row is full
//	.NAME.<32 digits>.tmp  a staged version of a transaction, which has these digits as its id
//	.NAME.<36 digits>.tmp  a staged or displaced version of a guard
//	.NAME.tx               the intent of a transaction: a file beside its home, a symbolic link
//	                       or a file beside the others; or that of a guard, a link to these
//	                       36 digits
//	.NAME.gate             the gate of shared locks
//	.NAME.<32 digits>.held, .NAME.<32 digits>s.held
//	                       a lock, exclusive or shared, that is lent to a command
//	.NAME.kept             the version before the current one
//	.NAME.<48 or 64 digits>.history, .NAME.<…>d.history
//	                       a kept version; of a NAME of more than 180 bytes it is as for
//	                       long ones (history.go)
//	.jsonstore.history     which documents of the directory keep their versions
//
// and in a directory of documents, for each snapshot of it:
//
//	.NAME.snapshot                  the snapshot, by its own NAME
//	..NAME.snapshot.<digits>.tmp    one that is being made, like a staged version
//
// No document can have such a name. The digits are hexadecimal.
//
// File systems allow 255 bytes. Of a NAME that leaves no room for the longest of these, of
// more than 213, the own files have the beginning and a hash, and suffixes that begin with
// "long":
//
//	.<100 bytes of NAME>.<32 digits>.longlock, .<…>.<…>.<digits>.longtmp, .<…>.<…>.longtx,
//	.<…>.<…>.longkept
//
// The beginning is shorter by up to three bytes where it would end within a character of
// UTF-8. The 32 digits are the first half of the SHA-256 of NAME: they follow from the name
// alone, so that all programs take the same lock, and nobody finds two names with the same
// ones. The suffixes keep the files apart from those of a document whose name is
// "<beginning>.<digits>".
//
// A document that was moved aside is its owner's, and has a name in the open:
// NAME.invalid-<time> or NAME.replaced-<time>.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// Places is the number of places in a document's row.
	Places = 8
	// GuardedDigits is the number of digits in the name of a guard's file.
	GuardedDigits = 36
	// TransactionDigits is the number of digits in the names of a transaction's files.
	TransactionDigits = 32

	lockSuffix      = ".lock"
	temporarySuffix = ".tmp"
	intentSuffix    = ".tx"
	gateSuffix      = ".gate"
	heldSuffix      = ".held"
	heldShared      = "s" // after the digits
	keptSuffix      = ".kept"
	historySuffix   = ".history"
	snapshotSuffix  = ".snapshot"
	longPrefix      = "long" // of the suffix, after its dot
	randomDigits    = 16

	// longest is how many bytes a name may have that stands whole in the names of its files.
	longest = 255 - len(".") - len(".") - GuardedDigits - len(temporarySuffix)
	// begins is how many bytes of a longer one do.
	begins = 100
)

// reservedSuffixes are the endings of the store's names other than those of temporary files.
var reservedSuffixes = [...]string{lockSuffix, intentSuffix, gateSuffix, heldSuffix, keptSuffix,
	historySuffix, snapshotSuffix}

// long is a suffix for a document with a long name.
func long(suffix string) string { return "." + longPrefix + suffix[1:] }

// stem is what stands for the name of a document in those of its files.
func stem(name string) (stem string, isLong bool) {
	if len(name) <= longest {
		return name, false
	}
	return shortened(name), true
}

// shortened is the stem of a long name.
func shortened(name string) string {
	end := begins
	for !utf8.RuneStart(name[end]) && end > begins-utf8.UTFMax+1 {
		end--
	}
	sum := sha256.Sum256([]byte(name))
	return name[:end] + "." + hex.EncodeToString(sum[:len(sum)/2])
}

// HasLong reports whether the names of a document's files do not say its name.
func HasLong(document string) bool { return len(document) > longest }

// beside is a name of the store's own beside the document at path.
func beside(path, middle, suffix string) string {
	dir, base := filepath.Split(path)
	base, isLong := stem(base)
	if isLong {
		suffix = long(suffix)
	}
	return dir + "." + base + middle + suffix
}

// Lock is the lock file of the document at path.
func Lock(path string) string { return beside(path, "", lockSuffix) }

// IsLock reports whether a path is that of a lock file of the store's own.
func IsLock(path string) bool {
	_, own := Own(filepath.Base(path))
	return own && (strings.HasSuffix(path, lockSuffix) || strings.HasSuffix(path, long(lockSuffix)))
}

// besideLock is a name beside a lock file, which may be another program's.
func besideLock(lock, middle, suffix string) string {
	if !IsLock(lock) {
		return beside(lock, middle, suffix)
	}
	if stem, isLong := strings.CutSuffix(lock, long(lockSuffix)); isLong {
		return stem + middle + long(suffix)
	}
	return strings.TrimSuffix(lock, lockSuffix) + middle + suffix
}

// Gate is the gate of those who want a lock file's lock.
func Gate(lock string) string { return besideLock(lock, "", gateSuffix) }

// Held is the file of a lock that is lent to a command. Its digits are 128 random bits.
func Held(lock, digits string, shared bool) string {
	if shared {
		digits += heldShared
	}
	return besideLock(lock, "."+digits, heldSuffix)
}

// IsHeld reports whether name is that of a lock that is lent, of the lock file at a path.
func IsHeld(lock, name string) bool {
	suffix := heldSuffix
	if strings.HasSuffix(name, long(heldSuffix)) {
		suffix = long(heldSuffix)
	}
	// Without digits, the name ends with a dot and the suffix.
	before, alike := strings.CutSuffix(filepath.Base(Held(lock, "", false)), suffix)
	digits, begins := strings.CutPrefix(strings.TrimSuffix(name, suffix), before)
	return alike && begins && AreRandom(strings.TrimSuffix(digits, heldShared)) &&
		strings.HasSuffix(name, suffix)
}

// AreRandom reports whether these may be the digits of 128 random bits.
func AreRandom(digits string) bool {
	return len(digits) == TransactionDigits && areDigits(digits)
}

// Intent is the intent of a guard or of a transaction on it.
func Intent(path string) string { return beside(path, "", intentSuffix) }

// IsIntent reports whether a path is that of an intent. The document is its name, of a long
// one its stem.
func IsIntent(path string) (document string, isLong, ok bool) {
	name := filepath.Base(path)
	document, own := Own(name)
	isLong = strings.HasSuffix(name, long(intentSuffix))
	return document, isLong, own && (isLong || strings.HasSuffix(name, intentSuffix))
}

// IntentBeside returns the intent on the document of which a path is a temporary file.
func IntentBeside(temporary string) string {
	dir, name := filepath.Split(temporary)
	base, _, _ := Temporary(name)
	suffix := intentSuffix
	if strings.HasSuffix(name, long(temporarySuffix)) {
		suffix = long(intentSuffix)
	}
	return dir + "." + base + suffix
}

// Kept is the version that the current one of the document at path has replaced.
func Kept(path string) string { return beside(path, "", keptSuffix) }

// Snapshot is the file of the snapshot with a name.
func Snapshot(name string) string { return "." + name + snapshotSuffix }

// IsSnapshot reports whether a file's name is that of a snapshot, or with unfinished of one
// that is being made, and returns the snapshot's name.
func IsSnapshot(file string, unfinished bool) (name string, ok bool) {
	if unfinished {
		if file, _, ok = Temporary(file); !ok {
			return "", false
		}
	}
	name, suffixed := strings.CutSuffix(file, snapshotSuffix)
	name, dotted := strings.CutPrefix(name, ".")
	return name, suffixed && dotted && name != ""
}

// Place returns the name of a place in its row. Places have numbers from 0 on.
func Place(path string, place int) string {
	return beside(path, "."+strconv.Itoa(place), temporarySuffix)
}

// Random returns the name of a staged version that is not in its row.
func Random(path string, random uint64) string {
	return beside(path, fmt.Sprintf(".%0*x", randomDigits, random), temporarySuffix)
}

// Guarded returns the name of a guard's file.
func Guarded(path, digits string) string {
	return beside(path, "."+digits, temporarySuffix)
}

// Transaction returns the name of a transaction's file. Its digits, the transaction's id, are
// 128 random bits, which are never used again.
func Transaction(path, digits string) string {
	return beside(path, "."+digits, temporarySuffix)
}

// Temporary returns the name of the document that a temporary file is for, of a long one
// its stem, and the digits by which it differs from others.
func Temporary(name string) (base, digits string, ok bool) {
	rest, dotted := strings.CutPrefix(name, ".")
	rest, suffixed := strings.CutSuffix(rest, temporarySuffix)
	if !suffixed {
		rest, suffixed = strings.CutSuffix(rest, long(temporarySuffix))
	}
	dot := strings.LastIndexByte(rest, '.')
	if !dotted || !suffixed || dot <= 0 {
		return "", "", false
	}
	base, digits = rest[:dot], rest[dot+1:]
	return base, digits, areDigits(digits)
}

// TemporaryOf returns the digits of a temporary file, and whether it is one of the document
// with the name base.
func TemporaryOf(base, name string) (digits string, ok bool) {
	found, digits, ok := Temporary(name)
	own, isLong := stem(base)
	return digits, ok && found == own && isLong == strings.HasSuffix(name, long(temporarySuffix))
}

func areDigits(digits string) bool {
	switch len(digits) {
	case 1:
		return digits[0] >= '0' && digits[0] < '0'+Places
	case randomDigits, TransactionDigits, GuardedDigits:
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return false
}

// Own returns the name of the document, of a long one its stem, whose file a name is that
// the store takes for itself.
func Own(name string) (document string, own bool) {
	if document, _, ok := Temporary(name); ok {
		return document, true
	}
	rest, dotted := strings.CutPrefix(name, ".")
	for _, suffix := range reservedSuffixes {
		for _, suffix := range [...]string{suffix, long(suffix)} {
			if document, ok := strings.CutSuffix(rest, suffix); ok && dotted && document != "" {
				if strings.HasSuffix(suffix, historySuffix[1:]) {
					document = keptFrom(document)
				}
				return document, true
			}
		}
	}
	return "", false
}
