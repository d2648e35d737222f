// The file of a snapshot: all documents, an index of them, and checksums.
//
//	jsonstore snapshot 1
//	<the bytes of a document, and a newline>, as often as there are contents
//	[<the entries of the index, a JSON array>]
//	{"created": …, "documents": …, "bytes": …, "at": <of the index>, "index": <its version>}
//	<the version of the line before>
//
// A version by content is a hash and a length. So the last line says how long the line before
// is, that says the same of the index, and the index of each document. A file that was torn,
// or changed in one of these, is detected when it is opened; in a document, when that is read.
// The hash is not cryptographic.
//
// Contents that are not in the index are those of documents that have changed while the
// snapshot was made.

package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/driver"
)

const (
	archiveHeader = "jsonstore snapshot 1\n"
	// maxArchiveTail is the largest size of the last two lines.
	maxArchiveTail = 1024
)

// archiveTail is the line that describes an archive.
type archiveTail struct {
	Created   time.Time `json:"created"`
	Documents int       `json:"documents"`
	Bytes     int64     `json:"bytes"` // of the documents
	At        int64     `json:"at"`    // where the index begins
	Index     Version   `json:"index"`
}

// archived is an entry of the index.
type archived struct {
	Key      string    `json:"key"`
	At       int64     `json:"at"`
	Version  Version   `json:"version"`
	Modified time.Time `json:"modified"`
}

// sizeOf returns the length of the content that a version by content is of.
func sizeOf(v Version) (int64, bool) {
	_, length, ok := strings.Cut(v.String(), "-")
	if v.Kind() != driver.KindHash || !ok {
		return 0, false
	}
	size, err := strconv.ParseInt(length, 10, 64)
	return size, err == nil
}

// archiveWriter writes an archive from its beginning to its end.
type archiveWriter struct {
	w  *bufio.Writer
	at int64
}

func newArchive(w io.Writer) (*archiveWriter, error) {
	a := &archiveWriter{w: bufio.NewWriterSize(w, 1<<18)}
	return a, a.write([]byte(archiveHeader))
}

func (a *archiveWriter) write(data []byte) error {
	n, err := a.w.Write(data)
	a.at += int64(n)
	return err
}

// add writes a content, and returns where it begins.
func (a *archiveWriter) add(data []byte) (at int64, err error) {
	at = a.at
	if err = a.write(data); err == nil {
		err = a.write([]byte{'\n'})
	}
	return at, err
}

// end writes the index and what follows it.
func (a *archiveWriter) end(entries []archived, created time.Time) (tail archiveTail, err error) {
	tail = archiveTail{Created: created, Documents: len(entries), At: a.at}
	var index bytes.Buffer
	encoder := json.NewEncoder(&index) // which ends each entry with a newline
	encoder.SetEscapeHTML(false)
	index.WriteString("[")
	for i, e := range entries {
		if i > 0 {
			index.WriteString(",")
		}
		if err := encoder.Encode(e); err != nil {
			return tail, err
		}
		size, _ := sizeOf(e.Version)
		tail.Bytes += size
	}
	index.WriteString("]")
	tail.Index = hashVersion(index.Bytes())
	line, err := json.Marshal(tail)
	if err != nil {
		return tail, err
	}
	last := hashVersion(line).String() + "\n"
	for _, part := range [][]byte{index.Bytes(), {'\n'}, line, {'\n'}, []byte(last)} {
		if err := a.write(part); err != nil {
			return tail, err
		}
	}
	return tail, a.w.Flush()
}

// errArchive is the error for a file that is not as it was written.
func errArchive(what string, args ...any) error {
	return fmt.Errorf("%w: the file of the snapshot is torn or was changed: %s", ErrInvalid,
		fmt.Sprintf(what, args...))
}

// readAt reads size bytes at an offset of a file that is that long.
func readAt(file io.ReaderAt, at, size int64) ([]byte, error) {
	data := make([]byte, size)
	n, err := file.ReadAt(data, at)
	if int64(n) == size || errors.Is(err, io.EOF) {
		return data[:n], nil
	}
	return nil, err
}

// readTail reads the last two lines of an archive of so many bytes.
func readTail(file io.ReaderAt, size int64) (tail archiveTail, err error) {
	begin := max(0, size-maxArchiveTail)
	data, err := readAt(file, begin, size-begin)
	if err != nil {
		return tail, err
	}
	lines := bytes.Split(data, []byte{'\n'})
	if len(lines) < 3 || len(lines[len(lines)-1]) > 0 {
		return tail, errArchive("its end is missing")
	}
	line, last := lines[len(lines)-3], lines[len(lines)-2]
	if version, err := ParseVersion(string(last)); err != nil || version != hashVersion(line) {
		return tail, errArchive("its end does not fit its checksum")
	}
	if err := json.Unmarshal(line, &tail); err != nil {
		return tail, errArchive("its end: %v", err)
	}
	length, ok := sizeOf(tail.Index)
	end := size - int64(len(line)+len(last)+len("\n\n\n"))
	if !ok || tail.At < int64(len(archiveHeader)) || tail.At > end || length != end-tail.At {
		return tail, errArchive("its index is not where it should be")
	}
	return tail, nil
}

// readIndex reads the beginning and the index of an archive.
func readIndex(file io.ReaderAt, tail archiveTail) (entries []archived, err error) {
	header, err := readAt(file, 0, int64(len(archiveHeader)))
	if err != nil {
		return nil, err
	}
	if string(header) != archiveHeader {
		return nil, errArchive("it does not begin with %q; a newer version of the store may have "+
			"made it", archiveHeader[:len(archiveHeader)-1])
	}
	size, _ := sizeOf(tail.Index)
	data, err := readAt(file, tail.At, size)
	if err != nil {
		return nil, err
	}
	if hashVersion(data) != tail.Index {
		return nil, errArchive("its index does not fit its checksum")
	}
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, errArchive("its index: %v", err)
	}
	if len(entries) != tail.Documents {
		return nil, errArchive("its index has %d documents of %d", len(entries), tail.Documents)
	}
	for i, e := range entries {
		size, ok := sizeOf(e.Version)
		switch {
		case !ok || e.At < int64(len(archiveHeader)) || e.At > tail.At || size > tail.At-e.At:
			return nil, errArchive("%q is not where it should be", e.Key)
		case checkKey(e.Key) != nil:
			return nil, errArchive("%v", checkKey(e.Key))
		case i > 0 && entries[i-1].Key >= e.Key:
			return nil, errArchive("the keys %q and %q are not in order", entries[i-1].Key, e.Key)
		}
	}
	return entries, nil
}

// readArchived reads the content of a document in an archive.
func readArchived(file io.ReaderAt, e archived) ([]byte, error) {
	size, _ := sizeOf(e.Version)
	data, err := readAt(file, e.At, size)
	if err != nil {
		return nil, err
	}
	if hashVersion(data) != e.Version {
		return nil, errArchive("the document does not fit its checksum")
	}
	return data, nil
}

// findArchived returns the entry of a key.
func findArchived(entries []archived, key string) (archived, bool) {
	at, found := slices.BinarySearchFunc(entries, key, func(e archived, key string) int {
		return strings.Compare(e.Key, key)
	})
	if !found {
		return archived{}, false
	}
	return entries[at], true
}
