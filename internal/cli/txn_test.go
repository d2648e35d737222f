package cli

import (
	"bytes"
	"fmt"
	"slices"
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

// FuzzOperations: operations are refused, or have all that it takes to carry them out.
func FuzzOperations(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[{"op":"set","file":"a","path":"b.c","value":1.50}]`,
		`[{"op":"expect","file":"a","version":"-"},{"op":"expect","file":"a","exists":false}]`,
		`[{"op":"expect","files":{"x":"a","y":"b"},"expr":".x","args":{"n":[1]}}]`,
		`[{"op":"patch","file":"a","patch":[{"op":"test","path":"/a","value":1}]}]`,
		`[{"op":"incr","file":"a","path":"b","by":-1e3},{"op":"delete","file":"a"}]`,
		`[{"op":"set","op":"set","file":"\ud800","path":"","value":null,"x":1}]`, `[7]`, `{}`, `[`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, duplicates bool) {
		ops, err := parseOperations(data, &commonFlags{duplicates: duplicates})
		if err != nil {
			if code := exitCode(err); code != exitUsage && code != exitInvalid &&
				code != exitCompile || err.Error() == "" {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		for i, op := range ops {
			form := forms[op.verb]
			needs := func(name string) bool { return slices.Contains(form.has, name) }
			has := 0
			for _, is := range []bool{
				op.version != nil, op.exists != nil, op.expr != nil, op.value != nil,
			} {
				if is {
					has++
				}
			}
			if op.number != i+1 || len(op.files) == 0 || !op.many && len(op.files) != 1 ||
				op.names != nil && len(op.names) != len(op.files) ||
				needs("path") && op.path == nil || needs("expr") && op.expr == nil ||
				(needs("value") || needs("patch")) && op.value == nil ||
				op.verb == "expect" && has != 1 {
				t.Errorf("%q: %+v", data, op)
			}
		}
	})
}
