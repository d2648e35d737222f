// What an expression may do in this process, and that the guards in it change nothing else.

package cli

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/itchyny/gojq"
)

func TestReach(t *testing.T) {
	loops, far := reach{loops: true}, reach{loops: true, far: true}
	for text, want := range map[string]reach{
		".": {}, ".a + 1": {}, "map(select(.b > 2)) | add": {}, `.a |= [.]`: {},
		`with_entries(.value += 1)`: {}, "limit(3; .[])": {},
		`getpath(["a", $x, 0])`: {}, `setpath(["a"]; 1)`: {},
		"reduce .[] as $x (0; [.])": loops, "foreach .[] as $x (0; [.])": loops,
		"def f: .; f": loops, "[recurse(.a)]": loops,
		"[.. | numbers] | add": {}, "(.. | strings) |= ascii_upcase": {},
		"walk(if . == 1 then 2 else . end)": {}, ".. |= [.] | .. |= [.]": {},
		".. |= [[[[[.]]]]] | .. |= [.]": loops, "walk([[[[[.]]]]]) | walk(.)": loops,
		"recurse |= [{a: {b: [.]}}] | .. |= .": loops, "until(. > 9; . + 1)": loops,
		"first(repeat([.]))": loops, "nothing_known": loops,
		"getpath($p)": {far: true}, "getpath([.[]])": {far: true},
		`setpath(["a"] + $p; 1)`: {far: true}, "setpath([9000000]; 1)": {far: true},
		"delpaths([$p])": far, "fromstream(tostream)": far,
	} {
		query, err := gojq.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := prepare(query); got.loops != want.loops || got.far != want.far {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
	query, err := gojq.Parse(".a.b[0] | .c?")
	if err != nil {
		t.Fatal(err)
	}
	if got := prepare(query).suffixes; got != 3 {
		t.Errorf("got %d suffixes, want 3", got)
	}
}

// A loop that nests nothing is none that matters.
func TestFlat(t *testing.T) {
	for body, want := range map[string]bool{
		". + $x": true, ". + $x.price * 2": true, ". + [$x]": true, ". + {($x.name): $x.price}": true,
		".[$x.k] += 1": true, ".[$x.k] += [$x.v]": true, ".[$x.k] = $x": true, ". + {$x}": true,
		".a |= . + 1": true, "map(. + 1)": true, "if . > $x then . else $x end": true, "max": true,
		". + \"\\($x.a)\"": true, "del(.[$x])": true, "first(..)": true, "{a: $x}": true, "[1, 2]": true,
		"[.]": false, "{a: .}": false, "{a}": false, `{"a"}`: false, "{a: [.b]}": false, ".a = .": false,
		".a += [.]": false, ".a = .b": false, ". as $s | [$s]": false, "(.. | numbers) = [0]": false,
		"(.. | numbers) |= [0]": false, "(recurse | numbers) |= [0]": false, ".a = (.b | fromjson)": false,
		"walk(if . == 0 then [0] else . end)": false, "to_entries": false, "group_by(0)": false,
		"reduce . as $s (0; [$s])": false, "foreach . as $s (0; $s; [$s])": false, "f": false,
		"def f: [.]; f": false, "until(false; [.])": false, "setpath([\"a\"]; .)": false,
		"[limit(1; .)]": false, "$x as $y | [$y]": false, "[$x | f]": false, `.a = @json "\(.)"`: false,
		"getpath([1, 2]) |= [0]": false, "with_entries(.value = {})": false,
	} {
		query, err := gojq.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		if got := isFlat(query); got != want {
			t.Errorf("%s: got %v, want %v", body, got, want)
		}
	}
}

// all are all results of a program, as JSON.
func all(ctx context.Context, code *gojq.Code, input any) (found []string) {
	for results := code.RunWithContext(ctx, input); ; {
		result, ok := results.Next()
		if !ok {
			return found
		}
		if err, ok := result.(error); ok {
			return append(found, "error: "+err.Error())
		}
		text, err := gojq.Marshal(result)
		if err != nil {
			return append(found, err.Error())
		}
		found = append(found, string(text))
	}
}

// With guards and without, an expression has the same results in the same order.
func TestGuardsChangeNothing(t *testing.T) {
	for _, text := range []string{
		"(1, 2) + (10, 20)", "(.a, .b) + (.b, .a)", "(.a, .b) * (.b, .c)", ".a * .s", ".s * .a",
		`"-" * .a`, `.s * -1`, ".s * 0.5", ".o * .o2", ".a * .o",
		".a += 1", ".a += .b", ".a += (.b, .c)", ".a += empty", "(.a, .b) += .c", ".a *= .b",
		".s *= .b", ".o *= .o2", ".l += .l", ".l[] += .a",
		".l[] *= (.a, .b)", ".n += 1", ".a += .s", ".o.x += {y: 1}",
		"def f(g): .a += g; f(.b, .c)", "def f: 3; f + f * f", ".a as $x | .b += $x * $x",
		`"\(.a)-\(.s)\("\(.b)x")"`, `@json "x\(.l)y"`, ".l | @csv", ".l | tojson",
		"[.l[] | tostring]", ".l | add", `[.s, .s] | join(",")`,
		".l | join(1)?", ".[.s]?", ".l[.a]", ".l[.a:]", ".l[.a, .b]", ".l[.a] = 7",
		"path(.l[.a])", "[paths]", "try (.a + .s) catch .", ".s / \"x\"",
		".big * .big", ".big + .big", ".f * .f", ".null + .a", ".null * .a", "path(.a + .b)",
		"path(.l | add)", ".l | first + last", "-(.a + .b) * 2",
		"[limit(3; .l[] + .l[])]", ".l as [$x, $y] | $x * $y + $x", ".a + .b | . * .",
		`{("k\(.a)"): .a * .b}`, "if .a + .b > 2 then .a * .b else . end",
		"label $out | .l[] + .a | ., break $out", ".l |= map(. * .) | .l",
		"reduce .l[] as $x (0; . + $x * $x)", ".l | combinations?",
	} {
		input := func() any {
			value, err := decode([]byte(`{
				"a": 1, "b": 2, "c": 3.5, "s": "xyz", "f": 0.1, "n": null, "l": [3, 4, 5],
				"o": {"x": {"p": 1}}, "o2": {"x": {"q": 2}}, "big": 12345678901234567890}`),
				(&commonFlags{}).limits())
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		query, err := gojq.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := gojq.Compile(query)
		if err != nil {
			t.Fatal(err)
		}
		p := compileTest(t, text)
		p.current = newCounted(t.Context(), bounds{-1, smallDocument})
		got, want := all(p.current, p.code, input()), all(t.Context(), plain, input())
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %q\nwant %q", text, got, want)
		}
	}
}

// Before one instruction takes all memory, or is known to, the run goes elsewhere; no try keeps
// it here.
func TestGuards(t *testing.T) {
	double := func(op string) string { return strings.Repeat(op+" | ", 40) + "length" }
	for _, text := range []string{
		`"x" * 2000000000`, `.s * .n`, `.s *= .n`, `.n * .s`, `try ("x" * 2000000000) catch 1`,
		`("x" * 2000000000)?`, "[.s] | " + double(". + ."),
		".s | " + double(". + ."), ".s | " + double(`"\(.)\(.)"`),
		".s | " + double("[., .] | add"), ".s | " + double(`[., .] | join("")`),
		`"\"" | ` + double("tojson"), ".n as $n | .b[$n] = 1", ".l[2000000000] = 1",
		"9 | " + strings.Repeat(". * . | ", 40) + "1", "reduce range(40) as $i (.s; . += .)",
		"reduce range(1000000) as $i (0; [.])", "def f: . + 1 | f; .n | f",
	} {
		input := map[string]any{"s": "x", "n": 2_000_000_000, "l": []any{}}
		p := compileTest(t, text)
		_, err := p.one(t.Context(), input, enoughMemory, bounds{mostLevels, smallDocument})
		if err != errLong {
			t.Errorf("%.60s: got %v, want %v", text, err, errLong)
		}
	}
}

// An instruction that takes long is left behind when the context ends, and nothing else is run
// beside it.
func TestLeftBehind(t *testing.T) {
	// It ends in a while, so that the tests go on.
	p := compileTest(t, strings.Repeat("[., .] | ", 25)+". == .")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.apply(ctx, nil, &commonFlags{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	_, err := p.apply(t.Context(), nil, &commonFlags{})
	if err == nil || !strings.Contains(err.Error(), "it still runs") {
		t.Errorf("beside it: got %v, want an error", err)
	}
}
