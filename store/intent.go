// The intent of a transaction: the file that it leaves beside each document that it
// writes, until it is finished.
//
// The name of the file is .NAME.tx. One of the documents of a transaction is its home.
// The home's intent says whether the transaction is committed: the commit point is the
// rename of a committed intent over a pending one. The intents of the other documents,
// the members, have the path of the home. Each intent also has the version that is
// replaced and the one that replaces it. So every reader sees the right version, and
// every writer can finish or undo the transaction of a dead process.
//
//	        intents in place        commit point            versions in place
//	none -------------------> pending -----------> committed -----------------> none
//	  ^                          |
//	  +---- error, or the death of the process ----+
//
// The intent of a guard has the same name, but is a symbolic link (guard.go).

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	intentFormat = "transaction 1"
	// maxIntent is the largest intent in bytes. That of a home names all members.
	maxIntent = 8 << 20
)

// intent is the content of an intent. Paths have slashes and are relative to the
// directory of the intent.
type intent struct {
	Format string `json:"jsonstore"`
	ID     string `json:"id"` // of the transaction: TransactionDigits random digits
	// Home is the path of the home document, and HomeDir its directory; both are empty
	// in the home's own intent.
	Home      string    `json:"home,omitempty"`
	HomeDir   directory `json:"homeDir,omitzero"`
	Committed bool      `json:"committed,omitempty"` // only in the home's intent
	// Members are the paths of the other documents, and MemberDirs their directories,
	// in the committed intent of the home.
	Members    []string    `json:"members,omitempty"`
	MemberDirs []directory `json:"memberDirs,omitempty"`
	// Commit is the digits of the temporary file with the committed intent, in the
	// pending intent of the home.
	Commit string `json:"commit,omitempty"`
	// Staged is the digits of the temporary file with the new version; empty for a
	// deletion.
	Staged string   `json:"staged,omitempty"`
	Old    identity `json:"old"`           // of the version that is replaced
	New    string   `json:"new,omitempty"` // the hash of the new version
	// Guarded is the digits of the guard's file with the displaced version; empty
	// without a guard.
	Guarded string `json:"guarded,omitempty"`
}

// identity distinguishes a version of a document from all others. The zero value is the
// identity of an absent document.
type identity struct {
	Ino   uint64 `json:"ino,omitempty"`
	Mtime int64  `json:"mtime,omitempty"`
	Size  int64  `json:"size,omitempty"`
	Hash  string `json:"hash,omitempty"`
}

// identity returns the identity of the version that was read.
func (s *loaded) identity() identity {
	if s.version.IsAbsent() {
		return identity{}
	}
	return identity{s.info.Ino, s.info.Mtime, s.info.Size, hashVersion(s.data).String()}
}

// encode returns the content of the intent's file: one line of JSON, and its checksum.
func (in *intent) encode() ([]byte, error) {
	in.Format = intentFormat
	line, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	if data := append(line, checksum(line)...); len(data) <= maxIntent {
		return data, nil
	}
	return nil, fmt.Errorf("%w: the names of the documents of the transaction take more than "+
		"%d bytes; use several transactions", ErrTooLarge, maxIntent)
}

func checksum(line []byte) string {
	sum := xxh3.Hash128(line)
	return fmt.Sprintf("%016x%016x\n", sum.Hi, sum.Lo)
}

// decodeIntent returns the intent in the content of a file; nil if it is torn or
// unsound.
func decodeIntent(data []byte) *intent {
	line, sum, _ := strings.Cut(string(data), "\n")
	line += "\n"
	in := &intent{}
	if sum != checksum([]byte(line)) || json.Unmarshal([]byte(line), in) != nil || !in.isSound() {
		return nil
	}
	return in
}

// isSound reports whether the store could have made the intent: it names only temporary
// files of the store, and paths that documents may have.
func (in *intent) isSound() bool {
	if in.Format != intentFormat || !isTransactionDigits(in.ID) ||
		in.Commit != "" && !isTransactionDigits(in.Commit) ||
		in.Staged != "" && !isTransactionDigits(in.Staged) ||
		in.Guarded != "" && !isDigits(in.Guarded, names.GuardedDigits) ||
		(in.Staged == "") != (in.New == "") || (in.Old == identity{}) && in.Staged == "" {
		return false
	}
	if in.Home != "" && (!isDocumentPath(in.Home) || in.Committed || in.Members != nil) {
		return false
	}
	for _, member := range in.Members {
		if !isDocumentPath(member) {
			return false
		}
	}
	return len(in.Members) == len(in.MemberDirs)
}

func isTransactionDigits(digits string) bool { return isDigits(digits, names.TransactionDigits) }

func isDigits(digits string, n int) bool {
	return len(digits) == n && strings.Trim(digits, "0123456789abcdef") == ""
}

// isDocumentPath reports whether a document may have the relative path.
func isDocumentPath(path string) bool {
	local := filepath.FromSlash(path)
	base := filepath.Base(local)
	return !filepath.IsAbs(local) && filepath.VolumeName(local) == "" && !strings.Contains(path,
		"\x00") &&
		filepath.Clean(local) == local && base != "." && base != ".." &&
		checkDocumentName(local) == nil
}

// newDigits returns 128 random bits.
func newDigits(files fsys.FS) string {
	return fmt.Sprintf("%016x%016x", files.Random(), files.Random())
}

// foundIntent is the file at the name of a document's intent.
type foundIntent struct {
	there bool    // the file exists, and is believed
	raw   string  // its content
	in    *intent // nil if the content is torn or unsound
}

// isHomeOf reports whether the file is the home's intent of the transaction id.
func (f foundIntent) isHomeOf(id string) bool {
	return f.in != nil && f.in.Home == "" && f.in.ID == id
}

func (f foundIntent) isOf(id string) bool { return f.in != nil && f.in.ID == id }

// intentAt reads the intent of a transaction beside the document at path. An error means
// that an intent may exist and could not be read.
func (d *fileDriver) intentAt(path string) (found foundIntent, err error) {
	file, err := d.files.Open(names.Intent(path), fsys.OpenExisting, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fsys.ErrSymlink): // or a guard's
		return found, nil
	case err != nil:
		// The file of a user who may not replace the document hinders nobody.
		info, lstatErr := d.files.Lstat(names.Intent(path))
		if errors.Is(lstatErr, fs.ErrNotExist) {
			return found, nil
		}
		if lstatErr == nil {
			if ok, believeErr := d.believes(path, info, 0); believeErr == nil && !ok {
				return found, nil
			}
		}
		return found, fmt.Errorf("read the intent of a transaction: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return found, err
	}
	found.there, err = d.believes(path, info, 0)
	if err != nil || !found.there || info.Size > maxIntent {
		return found, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxIntent+1))
	if err != nil {
		return found, fmt.Errorf("read the intent of a transaction: %w", err)
	}
	found.raw = string(data)
	found.in = decodeIntent(data)
	return found, nil
}
