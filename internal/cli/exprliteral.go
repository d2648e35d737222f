// Number literals of expressions, which keep their digits: .price = 1.10 writes 1.10.

package cli

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// literals are the number literals of an expression that would lose digits. They are
// replaced by variables, which keep all digits, as with --argjson.
type literals struct {
	names  []string
	values []any
	name   string // prefix of the names; unused in the expression
}

func (l *literals) takeFrom(query *gojq.Query, text string) {
	l.name = "$__literal"
	for strings.Contains(text, l.name) {
		l.name += "_"
	}
	l.walk(reflect.ValueOf(query))
}

// walk visits all parts of a query.
func (l *literals) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if term, ok := v.Interface().(*gojq.Term); ok {
			l.take(term)
		}
		l.walk(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			l.walk(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			l.walk(v.Field(i))
		}
	}
}

func (l *literals) take(term *gojq.Term) {
	if term.Type != gojq.TermTypeNumber || !losesDigits(term.Number) {
		return
	}
	name := fmt.Sprintf("%s%d", l.name, len(l.names))
	l.names, l.values = append(l.names, name), append(l.values, json.Number(term.Number))
	term.Type, term.Func, term.Number = gojq.TermTypeFunc, &gojq.Func{Name: name}, ""
}

// losesDigits reports whether the spelling of a number changes when it becomes a float.
// Integers never become one. A literal that is no JSON number, such as .5, cannot keep
// its spelling.
func losesDigits(text string) bool {
	if !strings.ContainsAny(text, ".eE") || splice.Check([]byte(text), splice.Limits{}) != nil {
		return false
	}
	float, err := strconv.ParseFloat(text, 64)
	again, _ := json.Marshal(float)
	return err != nil || string(again) != text
}
