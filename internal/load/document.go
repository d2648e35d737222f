// The document that loads update, and the update. Both are as cheap as possible, so that a
// measurement is one of the store.

package load

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const documentHead = `{"count":`

// Document returns a document of size bytes, or the smallest one if size is too small.
func Document(size int) []byte {
	const tail = `0,"pad":""}`
	padding := max(size-len(documentHead)-len(tail), 0)
	return []byte(documentHead + `0,"pad":"` + strings.Repeat("x", padding) + `"}`)
}

// Increment adds 1 to the counter of a document.
func Increment(old []byte) ([]byte, error) {
	n, rest, err := counted(old)
	if err != nil {
		return nil, err
	}
	changed := make([]byte, 0, len(old)+1)
	changed = strconv.AppendInt(append(changed, documentHead...), int64(n)+1, 10)
	return append(changed, rest...), nil
}

// Count returns the counter of a document.
func Count(data []byte) (int, error) {
	n, _, err := counted(data)
	return n, err
}

func counted(data []byte) (n int, rest []byte, err error) {
	text, ok := bytes.CutPrefix(data, []byte(documentHead))
	digits := bytes.IndexByte(text[:min(len(text), 24)], ',')
	if !ok || digits < 0 {
		return 0, nil, fmt.Errorf("%.24q is not the beginning of a document of the load", data)
	}
	n, err = strconv.Atoi(string(text[:digits]))
	return n, text[digits:], err
}
