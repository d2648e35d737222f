// Tests of the cost limits of a patch, and of the kinds of error.

package docpatch

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// TestCopiesAreBounded: the bound is on the bytes of the copies, not only on their
// number.
func TestCopiesAreBounded(t *testing.T) {
	long := `{"s":"` + strings.Repeat("x", 1<<20) + `","l":[]}`
	longKey := `{"s":{"` + strings.Repeat("x", 1<<20) + `":1},"l":[]}`
	toList := strings.Repeat(`{"op":"copy","from":"/s","path":"/l/-"},`, 80)
	for name, test := range map[string][2]string{
		"a long string": {long, toList},
		"a long key":    {longKey, toList},
		"doubling":      {`[[1]]`, strings.Repeat(`{"op":"copy","from":"","path":"/0"},`, 40)},
		// Each copy is twice as deep as the one before.
		"deep": {`{"a":{}}`, func() string {
			var b strings.Builder
			for i := range 14 {
				fmt.Fprintf(&b, `{"op":"copy","from":"","path":"%s"},`, strings.Repeat("/a", 1<<i))
			}
			return b.String()
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			patch := `[` + test[1] + `{"op":"test","path":"/never","value":0}]`
			got, err := Apply([]byte(test[0]), []byte(patch), lim)
			if err == nil || !strings.Contains(err.Error(),
				"the copies in the patch add more than 64 MiB") && name != "deep" {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	if _, err := Apply([]byte(long), []byte(`[`+strings.Repeat(`{"op":"copy","from":"/s","path":"/l/-"},`, 10)+`{"op":"remove","path":"/s"}]`), lim); err != nil {
		t.Errorf("ten copies of 1 MiB: %v", err)
	}
	if got, err := Apply([]byte(`{"a":{}}`),
		[]byte(`[{"op":"copy","from":"","path":"/a"},{"op":"copy","from":"","path":"/a/a"}]`),
		splice.Limits{Depth: 3}); err == nil {
		t.Errorf("a document that is too deep: %s", got)
	}
}

// TestLargeObjects: the work is linear in the members, not quadratic (which was 4 s for
// 50,000).
func TestLargeObjects(t *testing.T) {
	best := func(members int) time.Duration {
		var b bytes.Buffer
		for i := range members {
			fmt.Fprintf(&b, `,"key%d":%d`, i, i)
		}
		large := append(append([]byte{'{'}, b.Bytes()[1:]...), '}')
		least := time.Hour
		for range 2 {
			start := time.Now()
			got, err := Merge(large, []byte(`{"key7":"x"}`), lim)
			if err != nil || !bytes.Contains(got, []byte(`"key7":"x"`)) {
				t.Fatal(err)
			}
			if got, err = Merge([]byte("{}"), large, lim); err != nil ||
				!equal(string(got), string(large)) {
				t.Fatal(err)
			}
			if _, err = Apply(large, []byte(`[{"op":"replace","path":"/key7","value":"x"}]`),
				lim); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	// Linear work takes 16 times as long, quadratic work 256 times. Load on the machine
	// does not turn 16 into 100.
	var few, many time.Duration
	for range 20 {
		if few, many = best(1_000), best(16_000); many <= 100*few {
			return
		}
	}
	t.Errorf("16 times the members took %v, %d times %v", many, many/few, few)
}

// TestOnlyTestsAreErrTest: a patch that cannot be applied is not ErrTest.
func TestOnlyTestsAreErrTest(t *testing.T) {
	for patch, want := range map[string]bool{
		`[{"op":"test","path":"/a","value":2}]`: true, `[{"op":"test","path":"/b","value":2}]`: true, `[{"op":"test","path":"","value":{}}]`: true,
		`[{"op":"remove","path":"/b"}]`: false, `[{"op":"test","path":"/a"}]`: false, `[{"op":"test","value":1}]`: false, `[`: false, `{}`: false,
	} {
		doc := []byte(`{"a": 1}`)
		got, err := Apply(doc, []byte(patch), lim)
		if err == nil || got != nil || errors.Is(err, ErrTest) != want ||
			string(doc) != `{"a": 1}` {
			t.Errorf("%s: %s, %v", patch, got, err)
		}
	}
}

// TestDuplicateKeys: where duplicates are allowed, the last counts, in the document and
// in the patch.
func TestDuplicateKeys(t *testing.T) {
	lim := splice.Limits{AllowDuplicateKeys: true}
	got, err := Merge([]byte(`{"a":{"x":1},"b":1,"a":{"y":2}}`),
		[]byte(`{"a":null,"a":{"z":3}}`), lim)
	if same, _ := splice.Equal(got, []byte(`{"a":{"y":2,"z":3},"b":1}`), lim); err != nil || !same {
		t.Errorf("Merge: %s, %v", got, err)
	}
	got, err = Merge([]byte(`{"b":1}`), []byte(`{"a":1,"a":null}`), lim)
	if err != nil || string(got) != `{"b":1}` {
		t.Errorf("Merge: %s, %v", got, err)
	}
	got, err = Apply([]byte(`{"a":1,"a":2}`),
		[]byte(`[{"op":"test","path":"/a","value":2},{"op":"move","from":"/a","path":"/b"}]`), lim)
	if same, _ := splice.Equal(got, []byte(`{"b":2}`), lim); err != nil || !same {
		t.Errorf("Apply: %s, %v", got, err)
	}
}
