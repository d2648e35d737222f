package splice

import (
	"math/big"
	"slices"
	"testing"
)

func TestCompareNumbers(t *testing.T) {
	ordered := []string{"-1e1000", "-1e999", "-10", "-2", "-1.5", "-1", "-0.1", "-1e-400", "0",
		"1e-400", "0.1", "0.10000000000000000555", "1", "1.5",
		"2", "9.9", "10", "9007199254740992", "9007199254740993", "123456789012345678901234567890", "1e30", "1e999", "1e1000", "12e999999999999999999999"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := CompareNumbers([]byte(a), []byte(b)), min(1,
				max(-1, i-j)); got != want {
				t.Errorf("CompareNumbers(%s, %s) = %d", a, b, got)
			}
		}
	}
	for _, pair := range [][2]string{{"-0", "0"}, {"0e5", "0"}, {"1.0", "1"}, {"100", "1e2"},
		{"0.001e3", "1"}, {"-1.50", "-15e-1"}} {
		if got := CompareNumbers([]byte(pair[0]), []byte(pair[1])); got != 0 {
			t.Errorf("CompareNumbers(%s, %s) = %d", pair[0], pair[1], got)
		}
	}
}

func FuzzCompareNumbers(f *testing.F) {
	f.Add("1.50", "-15e-1")
	f.Add("10e3", "9999.9")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, text := range []string{a, b} {
			if root, err := Parse([]byte(text), Limits{}); err != nil || root.Kind != Number ||
				root.End-root.Start < len(text) || len(text) > 8 {
				return
			}
		}
		x, okX := new(big.Rat).SetString(a)
		y, okY := new(big.Rat).SetString(b)
		if okX && okY && CompareNumbers([]byte(a), []byte(b)) != x.Cmp(y) {
			t.Fatalf("CompareNumbers(%s, %s) = %d", a, b, CompareNumbers([]byte(a), []byte(b)))
		}
	})
}

func TestNumbers(t *testing.T) {
	var got []string
	for text := range Numbers([]byte(`{"1":-2.5e3,"\"2":[3,"4",{"a":5}],"b":true,"c":[]}` +
		"\n6")) {
		got = append(got, string(text))
	}
	if want := []string{"-2.5e3", "3", "5", "6"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
