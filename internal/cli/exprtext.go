// The text of what an expression leaves as it is. It is not encoded again, and when the
// result is merged into the document it is found to be the same without a closer look.

package cli

import "reflect"

// minText is the shortest text that is worth it, in bytes.
const minText = 64

// texts are those of objects and arrays of a document, by where these are in memory. An
// expression never changes one: it makes another.
type texts struct {
	objects map[uintptr]textOf
	arrays  map[place]textOf
}

// place is where an array is. A part of an array may begin where it does.
type place struct {
	first  uintptr
	length int
}

// textOf has the value too, so that no other is where it was.
type textOf struct {
	value any
	text  []byte
}

func newTexts() *texts { return &texts{map[uintptr]textOf{}, map[place]textOf{}} }

func placeOf(elems []any) place { return place{reflect.ValueOf(elems).Pointer(), len(elems)} }

func (t *texts) add(value any, text []byte) {
	if t == nil || len(text) < minText {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		t.objects[address(v)] = textOf{v, text}
	case []any:
		if len(v) > 0 { // all that are empty are in one place
			t.arrays[placeOf(v)] = textOf{v, text}
		}
	}
}

// of returns the text of a value, nil if it is not one of the document.
func (t *texts) of(value any) []byte {
	if t == nil {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		return t.objects[address(v)].text
	case []any:
		return t.arrays[placeOf(v)].text
	}
	return nil
}
