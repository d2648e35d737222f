// The result of an expression, encoded as JSON.

package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// maxDepth is the deepest nesting of a document. The encoder recurses once a level, and
// a stack overflow ends the process.
const maxDepth = splice.DefaultDepth

// encoder writes a value as JSON. It refuses values that JSON cannot express or that
// exceed the limits of a document.
type encoder struct {
	out    []byte
	keys   []string // of the open objects, the inner ones' after the outer ones'
	depth  int
	limit  int64 // in bytes
	halves bool  // some characters stand for halves of surrogate pairs, see exprvalue.go
	texts  *texts
}

// encodeResult encodes the result of an expression for a document of at most limit
// bytes. sizeHint is the expected size.
func encodeResult(value any, limit int64, sizeHint int, halves bool, texts *texts) ([]byte, error) {
	e := newEncoder(limit, sizeHint, halves, texts)
	if err := e.value(value); err != nil {
		return nil, err
	}
	return e.out, nil
}

func newEncoder(limit int64, sizeHint int, halves bool, texts *texts) *encoder {
	// The encoded text may be longer than the document, which keeps the spelling of
	// numbers: its 1e9 may be 1000000000 here. The store checks the exact limit; this
	// check stops an excess early.
	e := &encoder{limit: 4*limit + 1024, halves: halves, texts: texts}
	e.out = make([]byte, 0, sizeHint)
	return e
}

func (e *encoder) value(value any) error {
	if text := e.texts.of(value); text != nil {
		e.out = append(e.out, text...)
		return e.fits(0)
	}
	switch v := value.(type) {
	case *untouched:
		e.out = append(e.out, v.text...)
	case nil:
		e.out = append(e.out, "null"...)
	case bool:
		e.out = strconv.AppendBool(e.out, v)
	case int:
		e.out = strconv.AppendInt(e.out, int64(v), 10)
	case *big.Int:
		e.out = v.Append(e.out, 10)
	case json.Number:
		e.out = append(e.out, v...)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &runtimeError{fmt.Errorf("the result contains %v, which is no JSON number", v)}
		}
		text, err := json.Marshal(v)
		if err != nil {
			return &runtimeError{err}
		}
		e.out = append(e.out, text...)
	case string:
		return e.text(v)
	case []any:
		return e.array(v)
	case map[string]any:
		return e.object(v)
	default:
		return &runtimeError{fmt.Errorf("the result contains a %T, which is no JSON value", value)}
	}
	return e.fits(0)
}

// fits returns an error if more bytes would exceed the limit.
func (e *encoder) fits(more int) error {
	if int64(len(e.out))+int64(more) > e.limit {
		return fmt.Errorf("%w: the result of the expression; raise the limit with --max-size",
			store.ErrTooLarge)
	}
	return nil
}

func (e *encoder) text(text string) error {
	if err := e.fits(len(text)); err != nil {
		return err
	}
	if !utf8.ValidString(text) {
		return &runtimeError{fmt.Errorf("the result has text that is not valid UTF-8: %.60q", text)}
	}
	if e.halves {
		text = halved(text)
	}
	e.out = splice.AppendQuote(e.out, text)
	return nil
}

func (e *encoder) open(bracket byte) error {
	if e.depth++; e.depth > maxDepth {
		return &runtimeError{fmt.Errorf("the result is nested deeper than %d levels", maxDepth)}
	}
	e.out = append(e.out, bracket)
	return nil
}

func (e *encoder) close(bracket byte) error {
	e.depth--
	e.out = append(e.out, bracket)
	return e.fits(0)
}

func (e *encoder) array(elems []any) error {
	if err := e.open('['); err != nil {
		return err
	}
	for i, elem := range elems {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if err := e.value(elem); err != nil {
			return err
		}
	}
	return e.close(']')
}

func (e *encoder) object(members map[string]any) error {
	if err := e.open('{'); err != nil {
		return err
	}
	first := len(e.keys)
	e.keys = slices.AppendSeq(e.keys, maps.Keys(members))
	keys := e.keys[first:]
	slices.Sort(keys)
	for i, key := range keys {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if err := e.text(key); err != nil {
			return err
		}
		e.out = append(e.out, ':')
		if err := e.value(members[key]); err != nil {
			return err
		}
	}
	e.keys = e.keys[:first]
	return e.close('}')
}
