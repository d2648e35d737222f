// Comparisons of numbers in queries. Gjson compares them as floats, and different
// numbers may be the same float. Where that could change an answer, queries of the
// common form are answered here, digit by digit, and others are refused.

package docpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jsonstore/jsonstore/internal/splice"
)

const operators = "=!<>%"

// compared returns the operands that a query may compare numbers with.
func compared(query string) (with []string) {
	for i := 0; i < len(query); i++ {
		op := query[i:]
		op = op[:len(op)-len(strings.TrimLeft(op, operators))]
		if op == "" {
			continue
		}
		i += len(op)
		value := query[i:]
		if end := strings.IndexAny(value, ")]"); end >= 0 {
			value = value[:end]
		}
		value = unquoted(value)
		// Numbers match no pattern (%), and gjson takes other text for no float.
		_, err := strconv.ParseFloat(value, 64)
		if !strings.Contains(op, "%") && (err == nil || isRange(err)) {
			with = append(with, value)
		}
	}
	return with
}

func isRange(err error) bool { return strings.HasSuffix(err.Error(), strconv.ErrRange.Error()) }

func unquoted(value string) string {
	value = strings.TrimSpace(value)
	if len(value) > 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return value
}

// mistaken returns a number in valid JSON that differs from one of those given but is
// the same float.
func mistaken(raw []byte, with []string) string {
	exact, floats := true, make([]float64, len(with))
	for i, value := range with {
		exact = exact && isExact([]byte(value))
		floats[i], _ = strconv.ParseFloat(value, 64)
	}
	for text := range splice.Numbers(raw) {
		if exact && isExact(text) {
			continue
		}
		float, _ := strconv.ParseFloat(string(text), 64)
		for i, other := range floats {
			if float == other && !isWorth(text, with[i]) {
				return string(text)
			}
		}
	}
	return ""
}

// isExact reports whether a number is short enough that no other short number is the
// same float.
func isExact(text []byte) bool {
	if len(text) > 15 {
		return false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// isWorth reports whether text is a number with the same value.
func isWorth(number []byte, text string) bool {
	return isNumber(text) && splice.CompareNumbers(number, []byte(text)) == 0
}

func isNumber(text string) bool {
	root, err := splice.Parse([]byte(text), splice.Limits{})
	return err == nil && root.Kind == splice.Number
}

// filter is a query of the form #(path op number) or #(path op number)#, and the rest
// after it.
type filter struct {
	path   []step
	op     string
	number []byte
	all    bool
	then   string // after a dot, applied to each match
	pipe   string // after a pipe, applied to the whole answer
}

func parseFilter(query string) (f filter, ok bool) {
	query, ok = strings.CutPrefix(query, "#(")
	end := strings.IndexByte(query, ')')
	at := strings.IndexAny(query, operators)
	if !ok || at < 0 || end < at {
		return f, false
	}
	path, comparison, rest := strings.TrimSpace(query[:at]), query[at:end], query[end+1:]
	if path != "" {
		var again string
		var err error
		if f.path, again, err = parse(path); err != nil || again != "" || path == whole {
			return f, false
		}
	}
	value := strings.TrimLeft(comparison, operators)
	f.op = comparison[:len(comparison)-len(value)]
	f.number = []byte(unquoted(value))
	known := []string{"=", "==", "!=", "<", "<=", ">", ">="}
	if !slices.Contains(known, f.op) || !isNumber(string(f.number)) {
		return f, false
	}
	rest, f.all = strings.CutPrefix(rest, "#")
	switch {
	case rest == "":
		return f, true
	case len(rest) > 1 && rest[0] == '.' && !strings.Contains(rest, "|"):
		f.then = rest[1:]
		return f, true
	case len(rest) > 1 && rest[0] == '|':
		f.pipe = rest[1:]
		return f, true
	}
	return f, false
}

// matches compares a value as gjson does, but numbers exactly.
func (f *filter) matches(text []byte, kind splice.Kind) bool {
	var order int
	switch kind {
	case splice.Number:
		order = splice.CompareNumbers(text, f.number)
	case splice.String:
		order = strings.Compare(splice.Unquote(text), string(f.number))
	case splice.True:
		return f.op == "!=" || f.op == ">="
	case splice.False:
		return f.op == "!=" || f.op == "<="
	default:
		return false
	}
	switch f.op {
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return order == 0
}

// exactly answers a query on valid JSON with numbers that gjson would confuse.
func exactly(
	raw []byte, f filter, lim splice.Limits,
) (answer []byte, found bool, err error) {
	lim.AllowDuplicateKeys = true
	root, err := splice.Parse(raw, lim)
	if err != nil || root.Kind != splice.Array {
		return nil, false, err
	}
	all := []byte{'['}
	for i := range root.Elems {
		elem := &root.Elems[i]
		path := f.path
		if len(path) == 0 && elem.Kind >= splice.Array {
			path = []step{{literal: true}} // to gjson the empty path is the empty key
		}
		value, taken := find(elem, path)
		if taken < len(path) || !f.matches(raw[value.Start:value.End], value.Kind) {
			continue
		}
		got, there := raw[elem.Start:elem.End], true
		if f.then != "" {
			if got, there, err = Get(got, f.then, lim); err != nil {
				return nil, false, err
			}
		}
		if !f.all {
			answer, found = got, there
			break
		}
		if there {
			if len(all) > 1 {
				all = append(all, ',')
			}
			all = append(all, got...)
		}
	}
	if f.all {
		answer, found = append(all, ']'), true
	}
	if found && f.pipe != "" {
		return Get(answer, f.pipe, lim)
	}
	return answer, found, nil
}

// compare answers a query with exactly if gjson could be wrong; else handled is false.
func compare(
	raw []byte, path, query string, lim splice.Limits,
) (answer []byte, found, handled bool, err error) {
	if !strings.ContainsAny(query, operators) {
		return nil, false, false, nil
	}
	if splice.HasHalves([]byte(query)) || splice.HasHalves(raw) {
		return nil, false, true, &Error{path, "a query cannot compare text with half of a " +
			`surrogate pair, such as "\ud800"; there is one in the query or in its input`}
	}
	with := compared(query)
	if len(with) == 0 {
		return nil, false, false, nil
	}
	number := mistaken(raw, with)
	if number == "" {
		return nil, false, false, nil
	}
	f, ok := parseFilter(query)
	if !ok {
		return nil, false, true, &Error{path, fmt.Sprintf(
			"the query would compare %.40s as a float, "+
				"which equals other numbers too; queries of the form LIST.#(PATH==NUMBER) or "+
				"LIST.#(PATH==NUMBER)#.PATH compare exactly", number)}
	}
	answer, found, err = exactly(raw, f, lim)
	return answer, found, true, err
}
