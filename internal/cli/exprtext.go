// The source text of the values that an expression leaves unchanged. They are not
// encoded again, and the merge into the document recognizes them by their text.

package cli

import "reflect"

// minText is the shortest text that is worth recording, in bytes.
const minText = 64

// texts are the source texts of a document's objects and arrays, by address. gojq never
// changes an object or array: it makes a new one.
type texts struct {
	objects map[uintptr]textOf
	arrays  map[place]textOf
}

// place identifies an array by address and length: a prefix of it has the same address.
type place struct {
	first  uintptr
	length int
}

// textOf keeps the value alive, so that no other value gets its address.
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
		if len(v) > 0 { // all empty arrays have the same address
			t.arrays[placeOf(v)] = textOf{v, text}
		}
	}
}

// reset forgets the texts.
func (t *texts) reset() {
	const few = 64 // what is cleared is as large as it ever was
	if len(t.objects)+len(t.arrays) > few {
		*t = *newTexts()
		return
	}
	clear(t.objects)
	clear(t.arrays)
}

// of returns the text of a value, or nil if the value is not from the document.
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
