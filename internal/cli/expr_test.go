// Limits of expressions: memory, and results that no document can hold.

package cli

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

func compileTest(t *testing.T, text string) *expression {
	t.Helper()
	e, err := exprTask{Text: []byte(text)}.compile()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// An expression that allocates without bound is ended long before the machine runs out
// of memory.
func TestMemory(t *testing.T) {
	for _, text := range []string{
		"def f: [f]; f",
		"def f: f + 1; f",
		"[range(infinite)]",
		"reduce repeat(1) as $i (null; [.])",
		`reduce repeat(1) as $i ("x"; . + "0123456789" * 10000)`,
	} {
		t.Run(text, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := compileTest(t, text).one(ctx, nil, 64<<20)
			const want = "more than 64 MiB of memory"
			if err == nil || exitCode(err) != exitInvalid || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want that it holds too much memory", err)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	deep := func(levels int) any {
		var value any = []any{}
		for range levels - 1 {
			value = map[string]any{"a": value}
		}
		return value
	}
	if _, err := encodeResult(deep(maxDepth), 1<<20, 0, false, nil); err != nil {
		t.Errorf("the deepest that there may be: %v", err)
	}
	var runtime *runtimeError
	for name, value := range map[string]any{
		"too deep":   deep(maxDepth + 1),
		"very deep":  deep(1_000_000),
		"NaN":        map[string]any{"a": math.NaN()},
		"infinite":   []any{math.Inf(-1)},
		"no JSON":    []any{struct{}{}},
		"no JSON in": map[string]any{"a": make(chan int)},
	} {
		if _, err := encodeResult(value, 1<<20, 0, false, nil); !errors.As(err, &runtime) {
			t.Errorf("%s: got %v, want a runtime error", name, err)
		}
	}
	many := make([]any, 100_000)
	for name, value := range map[string]any{
		"a long string": strings.Repeat("x", 100_000),
		"many elements": many,
		"a long key":    map[string]any{strings.Repeat("x", 100_000): nil},
	} {
		if _, err := encodeResult(value, 1000, 0, false, nil); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrTooLarge)
		}
	}
}
