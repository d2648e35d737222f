// The intent of a transaction: what it leaves beside each document that it writes, until it is
// finished.
//
// It is a small file, .NAME.tx. One of the documents of a transaction is its home: the intent
// of that one says whether the transaction is committed, and to put a committed one in the
// place of a pending one is the commit point. The intents of the others, the members, say
// where the home is. All say which version was to be replaced, and by what, so that anybody
// who comes can finish a transaction whose process has died, or undo it.
//
// A guard's intent has the same name, but is a symbolic link (guard.go).

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
	// maxIntent is how large one may be: that of a home names all members.
	maxIntent = 8 << 20
)

// intent is what an intent says. Paths have slashes, and are relative to the directory of the
// document beside which it is.
type intent struct {
	Format string `json:"jsonstore"`
	ID     string `json:"id"` // of the transaction: TransactionDigits random digits
	// Home is the path of the home document; empty in the home's own intent.
	Home      string `json:"home,omitempty"`
	Committed bool   `json:"committed,omitempty"` // in that of the home
	// Members are the paths of the other documents, where it is committed.
	Members []string `json:"members,omitempty"`
	// Commit is the digits of the temporary file that is to be the committed intent, where it
	// is pending.
	Commit string `json:"commit,omitempty"`
	// Staged is the digits of the file with the new version; empty for a deletion.
	Staged string   `json:"staged,omitempty"`
	Old    identity `json:"old"`           // the version that is replaced
	New    string   `json:"new,omitempty"` // the hash of what is staged
}

// identity tells a version of a document from all others. The zero value is that of one that
// is absent.
type identity struct {
	Ino   uint64 `json:"ino,omitempty"`
	Mtime int64  `json:"mtime,omitempty"`
	Size  int64  `json:"size,omitempty"`
	Hash  string `json:"hash,omitempty"`
}

// identity is that of a version as it was read.
func (s *loaded) identity() identity {
	if s.file == nil {
		return identity{}
	}
	return identity{s.info.Ino, s.info.Mtime, s.info.Size, hashVersion(s.data).String()}
}

// encode returns the intent as the content of its file: one line of JSON, and its checksum.
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

// decodeIntent returns what an intent says; nil if it is none, or not a whole one.
func decodeIntent(data []byte) *intent {
	line, sum, _ := strings.Cut(string(data), "\n")
	line += "\n"
	in := &intent{}
	if sum != checksum([]byte(line)) || json.Unmarshal([]byte(line), in) != nil || !in.isSound() {
		return nil
	}
	return in
}

// isSound reports whether it is one that the store makes: all that it names are names that the
// store gives out, or that documents may have.
func (in *intent) isSound() bool {
	if in.Format != intentFormat || !isTransactionDigits(in.ID) ||
		in.Commit != "" && !isTransactionDigits(in.Commit) ||
		in.Staged != "" && !isTransactionDigits(in.Staged) ||
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
	return true
}

func isTransactionDigits(digits string) bool {
	return len(digits) == names.TransactionDigits && strings.Trim(digits, "0123456789abcdef") == ""
}

// isDocumentPath reports whether a relative path may be that of a document.
func isDocumentPath(path string) bool {
	local := filepath.FromSlash(path)
	base := filepath.Base(local)
	return !filepath.IsAbs(local) && filepath.VolumeName(local) == "" && !strings.Contains(path,
		"\x00") &&
		filepath.Clean(local) == local && base != "." && base != ".." &&
		checkDocumentName(local) == nil
}

// newDigits are 128 random bits.
func newDigits(files fsys.FS) string {
	return fmt.Sprintf("%016x%016x", files.Random(), files.Random())
}

// foundIntent is what is at the name of a document's intent.
type foundIntent struct {
	there bool    // something is that is believed
	raw   string  // its content
	in    *intent // what it says; nil if it says nothing
}

// isHomeOf reports whether it is the intent of the home of the transaction id.
func (f foundIntent) isHomeOf(id string) bool {
	return f.in != nil && f.in.Home == "" && f.in.ID == id
}

func (f foundIntent) isOf(id string) bool { return f.in != nil && f.in.ID == id }

// intentAt looks for the intent of a transaction beside the document at path. An error is that
// it could not be looked at, so that nobody may say what it says.
func (d *fileDriver) intentAt(path string) (found foundIntent, err error) {
	file, err := d.files.Open(names.Intent(path), fsys.OpenExisting, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fsys.ErrSymlink): // or a guard's
		return found, nil
	case err != nil:
		// A stranger's may not hinder anybody.
		info, lstatErr := d.files.Lstat(names.Intent(path))
		if errors.Is(lstatErr, fs.ErrNotExist) {
			return found, nil
		}
		if believed, believeErr := d.believes(path, info, 0); believeErr == nil && !believed {
			return found, nil
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

// errElsewhere: documents of a transaction cannot be reached through this handle.
var errElsewhere = errors.New("a transaction that is not finished has documents outside of the " +
	"directory that is open; open the document's file by itself")

// beside is where the document is that an intent beside the document at path names. Through a
// handle on a directory nothing outside of it is reached.
func (d *fileDriver) beside(path, relative string) (string, error) {
	named := filepath.Join(filepath.Dir(path), filepath.FromSlash(relative))
	if !filepath.IsAbs(path) && !filepath.IsLocal(named) {
		return "", errElsewhere
	}
	return named, nil
}
