// Expressions in a separate process, which is the test program. Faults there do not
// harm the test.

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && isWorker(os.Args[1]) {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func startTest(t *testing.T, task exprTask) *program {
	t.Helper()
	p, err := compile(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// runTest runs an expression without a document.
func runTest(t *testing.T, text string) error {
	t.Helper()
	_, err := startTest(t, exprTask{Text: []byte(text)}).run(t.Context(), nil)
	return err
}

// Unchanged values keep their spelling, and no bytes are lost between the processes.
func TestProgram(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	p := startTest(t, exprTask{
		Text:  []byte(`if . == null then $deep else . + {x: $x, y: $y, z: "\n\u0000"} end`),
		Names: []string{"$x", "$y", "$deep"},
		Values: [][]byte{
			[]byte(`"<\ud800>"`), []byte("12345678901234567890"), []byte(deep),
		},
	})
	for range 2 { // by the same process
		got, err := p.run(t.Context(), []byte("{\n\"b\": 1.10, \"c\": 1e400\n}\n"))
		want := `{"b":1.10,"c":1e400,"x":"<\ud800>","y":12345678901234567890,"z":"\n\u0000"}`
		if err != nil || string(got) != want {
			t.Errorf("got %s (%v), want %s", got, err, want)
		}
		got, err = p.run(t.Context(), nil)
		if err != nil || string(got) != deep {
			t.Errorf("without a document: got %.100s (%v), want %.100s", got, err, deep)
		}
	}
	large := []byte(`{"a":"` + strings.Repeat("x", 20<<20) + `"}`)
	got, err := startTest(t, exprTask{Text: []byte(".")}).run(t.Context(), large)
	if err != nil || !bytes.Equal(got, large) {
		t.Errorf("a large document: got %d bytes (%v), want %d", len(got), err, len(large))
	}
}

func TestProgramErrors(t *testing.T) {
	for text, want := range map[string]string{
		`error("no")`: "the expression failed: error: no", "empty": "it has no result",
		"1, 2": "more than one result", "nan": "no JSON number", "1, error(2)": "error: 2",
	} {
		err := runTest(t, text)
		if err == nil || exitCode(err) != exitInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %.200v, want %q", text, err, want)
		}
	}
	_, err := compile(t.Context(), exprTask{Text: []byte("nonsense")})
	if exitCode(err) != exitCompile || !strings.Contains(err.Error(), "nonsense/0") {
		t.Errorf("got %v, want that it does not compile", err)
	}
	p := startTest(t, exprTask{Text: []byte(`"x" * 9000`), MaxSize: 1000})
	if _, err := p.run(t.Context(), nil); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("too large: got %v, want %v", err, store.ErrTooLarge)
	}
	p = startTest(t, exprTask{Text: []byte(".")})
	if _, err := p.run(t.Context(), []byte("{")); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("no JSON: got %v, want %v", err, store.ErrInvalid)
	}
	// Another process continues.
	if got, err := p.run(t.Context(), []byte("1")); err != nil || string(got) != "1" {
		t.Errorf("after an error: got %s (%v), want 1", got, err)
	}
}

// A stack overflow or lack of memory ends with an error of one line.
func TestHarm(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector needs several times as much")
	}
	path := "[" + strings.Repeat("0,", 15000) + "0]"
	deep := fmt.Sprintf("reduce range(150) as $i (null; setpath(%s; .)) | ", path)
	const much, nested = "more than 1024 MiB of memory", "nests values too deeply"
	for text, want := range map[string]string{
		"def f: [f]; f":                                   much,
		`("x" * 1000000000) + "y"`:                        much,
		`_multiply("x"; 2000000000)`:                      much,
		"500000000 as $b | setpath([$b]; 1)":              much,
		`[range(60000) | "a"] | join("x" * 1000000)`:      much,
		strings.Repeat("[., .] | ", 40) + "tojson":        much,
		"last(limit(3000000; 1 | recurse([.]))) | tojson": nested,
		deep + "[., .] | unique":                          nested,
		deep + ". == [.]":                                 nested,
		deep + "tojson":                                   nested,
	} {
		err := runTest(t, text)
		if err == nil || exitCode(err) != exitInvalid || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: got %.200v, want %q", text, err, want)
		}
	}
}

// A process that is killed within an instruction is replaced by another.
func TestTimeout(t *testing.T) {
	p := startTest(t, exprTask{Text: []byte("reduce range(.) as $i (10; . * .)")})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.run(ctx, []byte("40")); err != context.DeadlineExceeded {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if _, err := p.run(ctx, []byte("1")); err != context.DeadlineExceeded {
		t.Errorf("once more: got %v, want %v", err, context.DeadlineExceeded)
	}
	if got, err := p.run(t.Context(), []byte("1")); err != nil || string(got) != "100" {
		t.Errorf("got %s (%v), want 100", got, err)
	}
}

// A process whose parent is gone ends, and one that a user starts by hand explains its
// purpose.
func TestWork(t *testing.T) {
	const task = `{"text":"` + "Lg==" + `"}` + "\n" // .
	for input, want := range map[string]string{
		"": "run jsonstore update", "nonsense\n": "the task of a process",
		task + "5\nab": "unexpected EOF", task + "five\n": "invalid syntax", task: "",
	} {
		err := work(strings.NewReader(input), io.Discard)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", input, err, want)
		}
	}
}
