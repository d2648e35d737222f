// The document that loads work on, and the update that they do: as cheap as can be, so that it is the rest that is measured.

package load

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const documentHead = `{"count":`

// Document is one of so many bytes, or of the few that it takes.
func Document(size int) []byte {
	const tail = `0,"pad":""}`
	return []byte(documentHead + `0,"pad":"` + strings.Repeat("x", max(size-len(documentHead)-len(tail), 0)) + `"}`)
}

// Increment counts the document up.
func Increment(old []byte) ([]byte, error) {
	n, rest, err := counted(old)
	if err != nil {
		return nil, err
	}
	changed := make([]byte, 0, len(old)+1)
	changed = strconv.AppendInt(append(changed, documentHead...), int64(n)+1, 10)
	return append(changed, rest...), nil
}

// Count is how often the document was counted up.
func Count(data []byte) (int, error) {
	n, _, err := counted(data)
	return n, err
}

func counted(data []byte) (n int, rest []byte, err error) {
	text, ok := bytes.CutPrefix(data, []byte(documentHead))
	digits := bytes.IndexByte(text[:min(len(text), 24)], ',')
	if !ok || digits < 0 {
		return 0, nil, fmt.Errorf("%.24q is not the beginning of the document", data)
	}
	n, err = strconv.Atoi(string(text[:digits]))
	return n, text[digits:], err
}
