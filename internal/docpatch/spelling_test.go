// Values of a patch keep their spelling, and strings are compared by code units.

package docpatch

import (
	"errors"
	"testing"
)

func TestSpelling(t *testing.T) {
	const old = `{"n": 1, "b": 100, "s": "\u00e9", "o": {"z": [1.0, 2], "a": 3}, "k": 1.10}`
	for patch, want := range map[string]string{
		`{"n":1.0,"b":1e2,"s":"é","o":{"a":3.00,"z":[1,2.0]}}`: `{"n": 1.0, "b": 1e2, "s": "é", "o": {"z": [1, 2.0], "a": 3.00}, "k": 1.10}`,
		`{"o":{"a":3}}`: old,
	} {
		if got, err := Merge([]byte(old), []byte(patch), lim); err != nil || string(got) != want {
			t.Errorf("Merge(%s) = %s, %v; want %s", patch, got, err, want)
		}
	}
	for patch, want := range map[string]string{
		`[{"op":"replace","path":"/n","value":1.0},{"op":"add","path":"/o/z/0","value":-0}]`: `{"n": 1.0, "b": 100, "s": "\u00e9", "o": {"z": [-0, 1.0, 2], "a": 3}, "k": 1.10}`,
		`[{"op":"replace","path":"/o","value":{"a":3.0,"z":[1,2]}}]`:                         `{"n": 1, "b": 100, "s": "\u00e9", "o": {"z": [1, 2], "a": 3.0}, "k": 1.10}`,
		`[{"op":"test","path":"/n","value":1.0}]`:                                            old,
		`[{"op":"test","path":"/o","value":{"a":3.0,"z":[1,2]}}]`:                            old,
	} {
		if got, err := Apply([]byte(old), []byte(patch), lim); err != nil || string(got) != want {
			t.Errorf("Apply(%s) = %s, %v; want %s", patch, got, err, want)
		}
	}
}

func TestHalves(t *testing.T) {
	const old = `{"a": "\ud800", "\udfff": 1}`
	for _, patch := range []string{
		`[{"op":"test","path":"/a","value":"\udfff"}]`, `[{"op":"test","path":"/a","value":"\ufffd"}]`,
		`[{"op":"test","path":"/\ud800","value":1}]`, `[{"op":"test","path":"/\ufffd","value":1}]`,
	} {
		if got, err := Apply([]byte(old), []byte(patch), lim); !errors.Is(err, ErrTest) {
			t.Errorf("%s: %s, %v", patch, got, err)
		}
	}
	for patch, want := range map[string]string{
		`[{"op":"test","path":"/a","value":"\uD800"},{"op":"replace","path":"/\udfff","value":2}]`: `{"a": "\ud800", "\udfff": 2}`,
		`[{"op":"move","from":"/\udfff","path":"/\ud800"}]`:                                        `{"a": "\ud800", "\ud800": 1}`,
		`[{"op":"add","path":"/a","value":"\udfff"}]`:                                              `{"a": "\udfff", "\udfff": 1}`,
	} {
		if got, err := Apply([]byte(old), []byte(patch), lim); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", patch, got, err, want)
		}
	}
	got, err := Merge([]byte(old), []byte(`{"a":"\udfff","\ud800":2,"\ufffd":3}`), lim)
	if want := `{"a": "\udfff", "\udfff": 1, "\ud800": 2, "` + "\ufffd" + `": 3}`; err != nil ||
		string(got) != want {
		t.Errorf("Merge: %s, %v; want %s", got, err, want)
	}
}
