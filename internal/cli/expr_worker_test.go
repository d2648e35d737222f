// Runs in another process: the test program is that.

package cli

import (
	"context"
	"encoding/json"
	"errors"
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

// What runs elsewhere has the result that it has here, and the errors of one that runs here.
func TestElsewhere(t *testing.T) {
	p, err := source{
		Text: []byte(`. + {x: $x, y: $y, z: "\n\u0000"}`), Names: []string{"$x", "$y"},
		Values: []json.RawMessage{[]byte(`"a"`), []byte("12345678901234567890")},
	}.compile()
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.elsewhere(t.Context(), []byte("{\n\"b\": 1.10\n}\n"), &commonFlags{})
	want := `{"b":1.10,"x":"a","y":12345678901234567890,"z":"\n\u0000"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	got, err = compileTest(t, ".").elsewhere(t.Context(), nil, &commonFlags{})
	if err != nil || string(got) != "null" {
		t.Errorf("without a document: got %s (%v), want null", got, err)
	}
	large := map[string]string{
		"def f: [f]; f":                                   "more than 1024 MiB of memory",
		`("x" * 1000000000) + "y"`:                        "more than 1024 MiB of memory",
		"last(limit(3000000; 1 | recurse([.]))) | tojson": "nests values too deeply",
	}
	if testing.Short() {
		clear(large) // the race detector needs several times as much
	}
	for text, want := range large {
		_, err := compileTest(t, text).elsewhere(t.Context(), nil, &commonFlags{})
		if err == nil || exitCode(err) != exitInvalid || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %.200v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`error("no")`: "the expression failed: error: no", "empty": "it has no result",
		"1, 2": "more than one result", "nan": "no JSON number",
	} {
		_, err := compileTest(t, text).elsewhere(t.Context(), nil, &commonFlags{})
		if err == nil || exitCode(err) != exitInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %.200v, want %q", text, err, want)
		}
	}
	_, err = compileTest(t, `"x" * 9000`).elsewhere(t.Context(), nil, &commonFlags{maxSize: 1000})
	if !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("too large: got %v, want %v", err, store.ErrTooLarge)
	}
	_, err = compileTest(t, ".").elsewhere(t.Context(), []byte("{"), &commonFlags{})
	if !errors.Is(err, store.ErrInvalid) {
		t.Errorf("no JSON: got %v, want %v", err, store.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = compileTest(t, "reduce range(40) as $i (10; . * .)").elsewhere(ctx, nil, &commonFlags{})
	if err != context.DeadlineExceeded {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

// Such a process that a user starts by hand says what it is for.
func TestWorkerUsage(t *testing.T) {
	for input, want := range map[string]string{
		"": "run jsonstore update", "nonsense\n": "the task of a process",
		`{"size":5}` + "\nab": "unexpected EOF",
	} {
		err := runTask(t.Context(), strings.NewReader(input), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", input, err, want)
		}
	}
}
