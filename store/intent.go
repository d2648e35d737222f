// The intents of a transaction: what it leaves beside each document that it writes, until
// it is finished.
//
// The name of an intent is .NAME.tx. One of the documents of a transaction is its home.
// The intent of the home is a file. It says of each document which version is replaced,
// and by which one. The intents of the others, the members, are symbolic links: what is
// behind a link is not a path, but says where the home is, and which of its documents the
// member is. Where a link cannot be, or would not outlast a power cut, a member's intent is a
// file with that text. The file of a staged version has the transaction's id in its name. So every
// reader sees the right version, and every writer can finish or undo the transaction of a
// dead process.
//
// The content of the home's intent is whole when the transaction commits. The commit point
// is the growth of that file by one byte. Before it, an intent means nothing.
//
//	        intents in place        commit point            versions in place
//	none -------------------> pending -----------> committed -----------------> none
//	  ^                          |
//	  +---- error, or the death of the process ----+
//
// A link and a growth change no content that would have to be flushed: they reach the
// device in the order of all changes of names. An identity in the home's intent has no
// hash: who may read that may not be one who may read all documents, and could guess a
// small content by its hash. The store changes the time of a document with each version.
//
// The intent of a guard has the same name, and is a symbolic link too (guard.go).

package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	intentFormat = "transaction 1"
	// maxIntent is the largest intent in bytes. That of a home names all documents.
	maxIntent = 8 << 20
	// committedMark follows the content of a committed intent. A file that grows gets
	// zeros.
	committedMark = "\x00"
)

// intent is the content of an intent. Paths have slashes and are relative to the
// directory of the intent.
type intent struct {
	id string // of the transaction: TransactionDigits random digits

	// Of a member: the path of the home document, its directory, and which of its changes
	// this document is; whether that is a deletion, and the digits of the guard's file with
	// the displaced version, which is empty without a guard. So nobody who can only write
	// beside the home can make a deletion of a new version.
	home    string
	homeDir directory
	index   int
	deletes bool
	guarded string

	// Of the home: what is done. The first change is that of the home itself.
	changes   []change
	committed bool
}

// change is what a transaction does with one document.
type change struct {
	Path string    `json:"path,omitempty"` // from the home; empty for the home itself
	Dir  directory `json:"dir,omitzero"`   // of the document; zero for the home itself
	Old  identity  `json:"old"`            // of the version that is replaced
	New  identity  `json:"new"`            // of the staged version; zero for a deletion
	// Guarded is as in a member's intent; only the home's own is here.
	Guarded string `json:"guarded,omitempty"`
}

// identity distinguishes a version of a document from all others. The zero value is the
// identity of an absent document.
type identity struct {
	Ino   uint64 `json:"ino,omitempty"`
	Mtime int64  `json:"mtime,omitempty"`
	Size  int64  `json:"size,omitempty"`
}

func identityOf(info fsys.Info) identity { return identity{info.Ino, info.Mtime, info.Size} }

// identity returns the identity of the version that was read.
func (s *loaded) identity() identity {
	if s.version.IsAbsent() {
		return identity{}
	}
	return identityOf(s.info)
}

func (c *change) deletes() bool { return c.New == identity{} }

// homeText is the first line of a home's intent.
type homeText struct {
	Format  string   `json:"jsonstore"`
	ID      string   `json:"id"`
	Changes []change `json:"documents"`
}

// encode returns the content of a home's intent: one line of JSON, and its checksum.
func (in *intent) encode() ([]byte, error) {
	line, err := json.Marshal(homeText{intentFormat, in.id, in.changes})
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	data := append(line, checksum(line)...)
	if len(data)+len(committedMark) > maxIntent { // for it grows
		return nil, fmt.Errorf("%w: the names of the documents of the transaction take more "+
			"than %d bytes; use several transactions", ErrTooLarge, maxIntent)
	}
	if in.committed {
		data = append(data, committedMark...)
	}
	return data, nil
}

const checksumSize = 33

func checksum(line []byte) string {
	sum := xxh3.Hash128(line)
	return fmt.Sprintf("%016x%016x\n", sum.Hi, sum.Lo)
}

// decodeHome returns the intent in the content of a home's file; nil if it is torn or
// unsound.
func decodeHome(data []byte) *intent {
	end := bytes.IndexByte(data, '\n') + 1
	line, rest := data[:end], string(data[end:])
	sum := checksum(line)
	var text homeText
	if !strings.HasPrefix(rest, sum) || json.Unmarshal(line, &text) != nil {
		return nil
	}
	in := &intent{id: text.ID, changes: text.Changes, committed: rest == sum+committedMark}
	if text.Format != intentFormat || !in.committed && rest != sum || !in.isSound() {
		return nil
	}
	return in
}

// isSound reports whether the store could have made the intent of a home: it names only
// temporary files of the store, and paths that documents may have.
func (in *intent) isSound() bool {
	if !isTransactionDigits(in.id) || len(in.changes) == 0 {
		return false
	}
	for i, c := range in.changes {
		if (c.Path == "") != (i == 0) || i > 0 && !isDocumentPath(c.Path) ||
			c.Guarded != "" && (i > 0 || !isDigits(c.Guarded, names.GuardedDigits)) ||
			c.deletes() && c.Old == (identity{}) {
			return false
		}
	}
	return true
}

// The parts of a member's intent are separated by colons. The last one is the path.
const (
	memberParts   = 4
	memberDeletes = "d"
	memberGuarded = "g"
	memberFar     = "f"
)

// memberText returns the content of a member's intent that is a file, from the target of
// the link that it would be.
func memberText(target string) []byte { return []byte(target + checksum([]byte(target))) }

// decodeFile returns the intent in a file; nil if it is torn or unsound.
func decodeFile(data []byte) *intent {
	if in := decodeHome(data); in != nil {
		return in
	}
	end := len(data) - checksumSize
	if end < 0 || checksum(data[:end]) != string(data[end:]) {
		return nil
	}
	return decodeMember(string(data[:end]))
}

// target returns the target of a member's link. File systems keep a short one in the
// inode, so it has as few bytes as possible.
func (in *intent) target() string {
	index, dir := strconv.Itoa(in.index), strconv.FormatUint(in.homeDir.Ino, 10)
	if in.deletes {
		index += memberDeletes
	}
	if in.guarded != "" {
		index += memberGuarded + in.guarded
	}
	if in.homeDir.Far {
		dir += memberFar
	}
	return strings.Join([]string{in.id, index, dir, in.home}, ":")
}

// decodeMember returns the intent in the target of a member's link; nil if the store
// could not have made it.
func decodeMember(target string) *intent {
	parts := strings.SplitN(target, ":", memberParts)
	if len(parts) < memberParts || !isTransactionDigits(parts[0]) || !isDocumentPath(parts[3]) {
		return nil
	}
	in := &intent{id: parts[0], home: parts[3]}
	index, guarded, isGuarded := strings.Cut(parts[1], memberGuarded)
	if isGuarded && !isDigits(guarded, names.GuardedDigits) {
		return nil
	}
	in.guarded = guarded
	index, in.deletes = strings.CutSuffix(index, memberDeletes)
	dir, far := strings.CutSuffix(parts[2], memberFar)
	in.homeDir.Far = far
	var err, dirErr error
	in.index, err = strconv.Atoi(index)
	in.homeDir.Ino, dirErr = strconv.ParseUint(dir, 10, 64)
	if err != nil || dirErr != nil || in.index < 1 {
		return nil
	}
	return in
}

// changeIn returns what the transaction does with the document of this intent: homes is
// the intent of the home. It reports false if the two are not of one transaction.
func (in *intent) changeIn(homes *intent) (change, bool) {
	if homes == nil || homes.id != in.id || in.index >= len(homes.changes) {
		return change{}, false
	}
	c := homes.changes[in.index]
	if in.home == "" {
		return c, true
	}
	c.Guarded = in.guarded
	return c, c.deletes() == in.deletes
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

// foundIntent is what is at the name of a document's intent.
type foundIntent struct {
	there   bool    // it exists, and is believed
	doubted bool    // it exists, and is not believed
	raw     string  // its content
	in      *intent // nil if the content is torn or unsound
}

// isHomeOf reports whether the file is the home's intent of the transaction id.
func (f foundIntent) isHomeOf(id string) bool {
	return f.in != nil && f.in.home == "" && f.in.id == id
}

func (f foundIntent) isOf(id string) bool { return f.in != nil && f.in.id == id }

// intentAt reads the intent of a transaction beside the document at path. A link that no
// member has, such as a guard's, is none. An error means that an intent may exist and
// could not be read.
func (d *fileDriver) intentAt(path string) (found foundIntent, err error) {
	for {
		target, err := d.files.Readlink(names.Intent(path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return found, nil
		case err != nil: // it is no link
			found, err = d.fileIntentAt(path)
			if !errors.Is(err, fsys.ErrSymlink) {
				return found, err
			}
			continue
		case target == "":
			return found, errEmptyLink(path)
		}
		in := decodeMember(target)
		if in == nil {
			return found, nil
		}
		believed, same, err := d.believesLink(path, target)
		if err != nil {
			return found, fmt.Errorf("read the intent of a transaction: %w", err)
		}
		if believed {
			return foundIntent{there: true, raw: target, in: in}, nil
		}
		if same {
			return foundIntent{doubted: true}, nil
		}
	}
}

// errEmptyLink is for a link that nobody can have made so.
func errEmptyLink(path string) error {
	return fmt.Errorf("the link %s has no text, which btrfs before Linux 5.18 may leave after a "+
		"power cut, so that the document may be part of a committed transaction; if it is not, "+
		"remove the link", names.Intent(path))
}

// believesLink reports whether the link with the target at the intent's name is believed.
// Same is false if it was not there all the time.
func (d *fileDriver) believesLink(path, target string) (believed, same bool, err error) {
	dir, err := d.files.Lstat(filepath.Dir(path))
	if err != nil || dir.Mode&fs.ModeSticky == 0 {
		return err == nil, true, err // who may make the link may replace the document
	}
	name := names.Intent(path)
	link, err := d.files.Lstat(name)
	if err != nil {
		return false, false, ignoreNotExist(err)
	}
	if believed, err = d.believes(path, link, fs.ModeSymlink); err != nil {
		return false, false, err
	}
	again, err := d.files.Readlink(name)
	if err != nil || again != target {
		return false, false, nil // the next look meets the error
	}
	now, err := d.files.Lstat(name)
	if err != nil {
		return false, false, ignoreNotExist(err)
	}
	same = now.SameFile(link) && now.Ctime == link.Ctime
	return believed && same, same, nil
}

// fileIntentAt is intentAt for an intent that is a file.
func (d *fileDriver) fileIntentAt(path string) (found foundIntent, err error) {
	file, err := d.files.Open(names.Intent(path), fsys.OpenExisting, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found, nil
	case errors.Is(err, fsys.ErrSymlink):
		return found, err
	case err != nil:
		// The file of a user who may not replace the document hinders nobody.
		info, lstatErr := d.files.Lstat(names.Intent(path))
		if errors.Is(lstatErr, fs.ErrNotExist) {
			return found, nil
		}
		if lstatErr == nil {
			ok, believeErr := d.believes(path, info, 0)
			if believeErr == nil && (!ok || info.Size == 0) { // or it is not yet written
				return foundIntent{there: ok, doubted: !ok}, nil
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
	found.doubted = !found.there
	if err != nil || !found.there || info.Size > maxIntent {
		return found, err
	}
	data := make([]byte, info.Size) // what is there never changes, it only gets more
	n, err := file.ReadAt(data, 0)
	if err != nil && err != io.EOF {
		return found, fmt.Errorf("read the intent of a transaction: %w", err)
	}
	found.raw = string(data[:n])
	found.in = decodeFile(data[:n])
	return found, nil
}
