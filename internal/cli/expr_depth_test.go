// How deep expressions and what they make may be: nothing overflows the stack, which would end
// the process.

package cli

import (
	"runtime/metrics"
	"strings"
	"testing"
)

// stackInUse is what the stacks of all goroutines take. One that has grown does not shrink before
// the next garbage collection.
func stackInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// mostStack is how large a stack may become on 64 bits: it doubles, and 1 GiB is beyond Go's bound.
const mostStack = 512 << 20

// Whatever is nested as deeply as the longest text allows is compiled or refused.
func TestNestedText(t *testing.T) {
	for _, p := range [][3]string{
		{"[", "", "]"}, {"(", "1", ")"}, {"{a:", "1", "}"}, {"{(", `"a"`, "):1}"}, {"-", "1", ""},
		{`"\(`, "1", `)"`},
		{"", "1", "+1"}, {"", ".", "+."}, {".+(", ".", ")"}, {"", ".", "*."}, {".*(", ".", ")"},
		{".-(", ".", ")"}, {"", "1", "|1"},
		{"", "1", ",1"}, {"", "1", "//1"}, {"", ".", "?"}, {"", ".", "[0]"}, {"", ".", "[.]"},
		{".[", "1", "]"}, {"", ".a", ".a"},
		{"1|=(", "1", ")"}, {"1+=(", "1", ")"}, {".*=(", "1", ")"},
		{"if 1 then ", "1", " else 1 end"}, {"if ", "1", " then 1 end"},
		{"try ", "1", ""}, {". as $x|", "1", ""}, {"reduce 1 as $x(0;", "1", ")"},
		{"foreach 1 as $x(0;", "1", ")"}, {"label $x|", "1", ""},
		{"def f: ", "1", "; f"}, {"def f(g): ", "1", ";f(1)"}, {"map(", ".", ")"},
		{"path(", ".", ")"}, {"add(", ".", ")"}, {"@json \"\\(", ".", ")\""},
		{"", ".", "|add"}, {"", ".", "|tojson"}, {"1 and ", "1", ""}, {"[", "", ""},
		{"(", "", ""}, {`"\(`, "", ""}, {"{", "", ""},
	} {
		times := (longestText - len(p[1])) / (len(p[0]) + len(p[2]))
		text := strings.Repeat(p[0], times) + p[1] + strings.Repeat(p[2], times)
		_, err := source{Text: []byte(text)}.compile()
		if used := stackInUse(); used > mostStack/2 {
			t.Errorf("%s…%s…%s (%v): the stack has %d MiB", p[0], p[1], p[2], err, used>>20)
		}
	}
	text := strings.Repeat(" ", longestText) + "."
	if _, err := (source{Text: []byte(text)}).compile(); exitCode(err) != exitCompile {
		t.Errorf("a text that is too long: got %v, want that it does not compile", err)
	}
}

// What may be nested in this process can be used in every way in which gojq calls itself.
func TestNestedValues(t *testing.T) {
	const levels = "210000" // mostLevels and those of a document
	const array = "reduce range(" + levels + ") as $i (0; [.])"
	const object = "reduce range(" + levels + ") as $i (0; {a: .})"
	for _, text := range []string{
		array + " | tojson | length", object + " | tojson | length", array + ` | "\(.)" | length`,
		array + " | flatten | length",
		array + " | . == " + array, object + " | . == " + object,
		object + " | . * " + object + " | length",
		array + " | contains(" + array + ")", object + " | contains(" + object + ")",
		"[" + array + " | ., .] | unique | length",
		object + " | del(.x) | length", array + " | del(.[0][5]) | length", array + " | error",
		"[range(" + levels + `) | "a"] as $p | null | setpath($p; 1) | length`,
		"[range(" + levels + ") | {start: 0, end: 1}] as $p | null | setpath($p; [1]) | length",
	} {
		_, err := compileTest(t, text).one(t.Context(), nil, enoughMemory, unbounded)
		if err != nil && !strings.HasSuffix(text, "error") {
			t.Errorf("%s: %v", text, err)
		}
		if used := stackInUse(); used > mostStack/2 {
			t.Errorf("%s: the stack has %d MiB", text, used>>20)
		}
	}
}
