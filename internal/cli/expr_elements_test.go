// Expressions that run element by element.

package cli

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// TestByElement: what runs element by element has the same results as on the whole
// document, once merged, and the same errors.
func TestByElement(t *testing.T) {
	task := exprTask{
		Names:  []string{"$text", "$number", "$list"},
		Values: [][]byte{[]byte(`"n"`), []byte("12345678901234567890"), []byte("[1,[2]]")},
	}
	documents := []string{
		`{"l": [{"n": 1.10, "a b": {"x": [1]}}, {"n":2, "m":1e400}, {"n":-0}] , "z":{"l":[1]}}`,
		`{"l": [3, 1, 12345678901234567890123] }`, `{"l":[ ], "n":1}`, `{"l":[[1,2],[],[[3]]]}`,
		`{"l": {"b":{"n":1},"a":{"n":2}}}`, `{"l":null}`, `{}`, `{"l":"s"}`,
		` [ {"n": 1} ,{"n":2.50}]`,
		"[1]\n", "[]", "null", `"s"`, `{"l":["\ud800",{"\udc00":"\ud800"}]}`, `{"l":[{"n":"` +
			strings.Repeat("x", 100) + `", "l":[{"n":` + strings.Repeat(" ", 100) + `1}]}, 1]}`,
		`{"l":[{"n":1},{"n":"s"}]}`, `{"l":[{"n":null},{"n":false}]}`,
		strings.Repeat(`{"l":[`, maxDepth/2) + strings.Repeat("]}", maxDepth/2),
	}
	for _, text := range []string{
		".l |= map(.n += 1)", ".l |= map(.)", ".l |= map(empty)", ".l |= map(., .)", "map(.n)",
		".l |= map(select(.n != 2))", ".l |= map(if .n == 2 then .n = 1.10 else . end)",
		".l |= map(error)", ".l |= map(error(null))", ".l |= map(nan)", ".l |= map(1 / .n)",
		".l |= map({a: .n, $text})", ".l |= map([.])", ".l |= map([[.]])", ".l |= map(.l)",
		".l |= map(. as $x | $x)", ".l |= map(def f: 1; f)",
		".l |= map(label $out | 1, break $out)",
		".l |= map(try error catch 1)", ".l |= map(halt)", ".l |= map(explode)",
		".l |= map(reduce .[]? as $i (.; .))", ".l |= map(tostring)", ".l |= map(delpaths([[]]))",
		".l |= map_values(.n)", "map_values(empty)", ".l |= map_values(., 1)",
		".l[] |= .n", ".l[] |= empty", ".l[] |= (., 1)", ".[] |= empty", ".[] += 1", ".[] = $list",
		".l[].n += 1", ".l[].n -= 1.50", ".l[].n *= 2", ".l[].n /= 3", ".l[].n %= 2",
		".l[].n //= $number", ".l[].n = 1.10", ".l[].n |= empty", ".l[].n |= (., 1)",
		".l[][] += 1", `.l[]["a b"].x[] = 2`, ".l[][$text] = $list", `.["l"][].n = "x"`,
		".l[].new.deep = 1", ".l[].n = null", ".l |= map(def _elements: 1; _elements)",
	} {
		task.Text = []byte(text)
		each, whole := compileTask(t, task), compileTask(t, task)
		if each.each == nil {
			t.Errorf("%s does not run element by element", text)
			continue
		}
		each.each.from, whole.each = 0, nil
		for _, document := range documents {
			old := []byte(document)
			got, err := each.run(t.Context(), old)
			want, wantErr := whole.run(t.Context(), old)
			if err == nil && wantErr == nil {
				got, err = splice.Merge(old, got, splice.Limits{})
				want, wantErr = splice.Merge(old, want, splice.Limits{})
			}
			same := err == nil && wantErr == nil && string(got) == string(want) ||
				err != nil && wantErr != nil && err.Error() == wantErr.Error() &&
					exitCode(err) == exitCode(wantErr)
			if !same {
				t.Errorf("%s on %.100s: %.200s, %v, want %.200s, %v", text, document, got, err,
					want, wantErr)
			}
		}
	}
	for _, text := range []string{
		".", ".l", ".l |= sort", ".l |= map(.; .)", ".l |= (map(.))", ".l |= map(.)[0]",
		".l |= map(.) | .", "., map(.)", "def map(f): 1; .l |= map(.)", ".l[0] |= map(.)",
		".l? |= map(.)", ".l[]? |= 1", ".l[][.n] = 1", ".l[].n += .x", ".l[].n = .", ".l[1:] |= 1",
		".l[].n[0] = 1", "del(.l[])", ".l = map(.)", "(.l[] | .n) |= 1", ".. |= 1", "$list[] |= 1",
		".l |= map(keys_unsorted)", ".l[].n = $list[0]", ".l[]", "map(.) as $x | $x", ".l.n = 1",
		"reduce .l[] as $i (.; .)", ".l |= 1",
	} {
		task.Text = []byte(text)
		if e, err := task.compile(); err == nil && e.each != nil {
			t.Errorf("%s is taken for a change element by element", text)
		}
	}
	task.Text, task.Duplicates = []byte("map(.)"), true
	if compileTask(t, task).each != nil {
		t.Error("with duplicate keys: taken for a change element by element")
	}
}

func compileTask(t *testing.T, task exprTask) *expression {
	t.Helper()
	e, err := task.compile()
	if err != nil {
		t.Fatalf("%s: %v", task.Text, err)
	}
	return e
}

// TestByElementDepth: the levels around the array count.
func TestByElementDepth(t *testing.T) {
	for levels, want := range map[int]string{maxDepth - 2: "", maxDepth - 1: "nested deeper than"} {
		text := fmt.Sprintf(".l |= map(reduce range(%d) as $i (1; [.]))", levels)
		e := compileTask(t, exprTask{Text: []byte(text)})
		e.each.from = 0
		_, err := e.run(t.Context(), []byte(`{"l":[1]}`))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d levels: got %v, want %q", levels, err, want)
		}
	}
}

// TestByElementLimits: the limits of size and memory, and the context, hold as always.
func TestByElementLimits(t *testing.T) {
	document := []byte("[" + strings.Repeat(`{"n":1},`, 2000) + "0]")
	run := func(ctx context.Context, text string) error {
		task := exprTask{Text: []byte(text), MaxSize: 20_000}
		e := compileTask(t, task)
		e.each.from = 0
		_, err := e.run(ctx, document)
		return err
	}
	for _, c := range []struct{ text, want string }{
		{"map(def f: [f]; f)", "more than 1024 MiB of memory"},
		// What that one held is garbage now, and does not count.
		{"map(range(1000) | empty)", ""},
		{"map(range(1000000) as $i | .)", "the result of the expression"},
		{`map(. as $x | range(100) | {n: $x})`, "the result of the expression"},
	} {
		if testing.Short() && strings.Contains(c.want, "memory") {
			continue // the race detector needs several times as much
		}
		err := run(t.Context(), c.text)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, "map(repeat(1) | empty)"); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// TestGarbageDoesNotCount: what an earlier expression held does not end the next one.
func TestGarbageDoesNotCount(t *testing.T) {
	const most = 64 << 20
	held := make([]byte, 2*most)
	runtime.GC()
	if live, _ := memory(); live <= most {
		t.Fatalf("%d bytes are live, want more than %d", live, most)
	}
	runtime.KeepAlive(held)
	_, cancel := withMemory(t.Context(), most)
	defer cancel()
	if live, _ := memory(); live > most {
		t.Errorf("%d bytes of garbage count", live)
	}
}

// TestByElementMemory: the values of the elements are not all in memory at once.
func TestByElementMemory(t *testing.T) {
	var b strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&b, `,{"id":%d,"name":"the user number %d","n":[1,2,3,4],"score":%d}`, i, i, i%1000)
	}
	document := []byte(`{"list":[` + b.String()[1:] + "]}")
	e := compileTask(t, exprTask{Text: []byte(".list |= map(.score += 1)")})
	runtime.GC()
	base, _ := memory()
	ended := make(chan error, 1)
	go func() {
		_, err := e.run(t.Context(), document)
		ended <- err
	}()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for most := uint64(0); ; {
		select {
		case err := <-ended:
			if err != nil || most > 4*uint64(len(document)) {
				t.Errorf("%v, %d bytes are live for a document of %d", err, most, len(document))
			}
			return
		case <-ticker.C:
			live, _ := memory()
			most = max(most, live-min(live, base))
		}
	}
}
