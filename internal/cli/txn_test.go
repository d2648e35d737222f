package cli

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestJoinSplit: what join puts together split takes apart, also where names are hostile.
func TestJoinSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := []string{`{"a":[1,{"b":"]"}]}`, " [ ] ", `"\"}"`, "1.50\n", "true", `{"a,b":":"}`, ""}
		contents := rapid.SliceOfN(rapid.SampledFrom(values), 1, 5).Draw(t, "contents")
		var names []string
		if rapid.Bool().Draw(t, "named") {
			names = rapid.SliceOfNDistinct(rapid.String(), len(contents), len(contents),
				rapid.ID[string]).Draw(t, "names")
		}
		var documents [][]byte
		for _, text := range contents {
			var data []byte
			if text != "" {
				data = []byte(text)
			}
			documents = append(documents, data)
		}
		parts, err := split(join(documents, names), len(documents), names)
		if err != nil {
			t.Fatal(err)
		}
		for i, data := range documents {
			if data == nil {
				data = []byte("null")
			}
			if !bytes.Equal(parts[i], bytes.TrimSpace(data)) {
				t.Fatalf("part %d of %q, %q is %q", i, contents, names, parts[i])
			}
		}
	})
}

// TestPrograms: equal expressions share a program, of the processes that run them only some
// wait, and each program runs all the same.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts some processes")
	}
	var p programs
	defer p.close()
	var all []*program
	for i := range maxWorkers + 3 {
		one, err := p.compile(t.Context(), exprTask{Text: fmt.Appendf(nil, "[.[]] + [%d]", i)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if same, err := p.compile(t.Context(), all[2].task); err != nil || same != all[2] {
		t.Errorf("equal expressions: %v, %v", same == all[2], err)
	}
	for range 2 {
		waiting := 0
		for i, one := range all {
			text, err := one.run(t.Context(), []byte("[7]"))
			if want := fmt.Sprintf("[7,%d]", i); err != nil || string(text) != want {
				t.Errorf("got %s, %v; want %s", text, err, want)
			}
			if p.spare(one); one.worker != nil {
				waiting++
			}
		}
		if waiting != maxWorkers {
			t.Errorf("%d processes wait, want %d", waiting, maxWorkers)
		}
	}
}
