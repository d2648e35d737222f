// Plain expressions, such as .count += 1, .users[$name].age = $age and del(.log). Their
// cost is bounded by the size of the document and of the arguments, whatever these are.
// They run in the command's own process: starting another takes as long as all else.

package cli

import (
	"slices"

	"github.com/itchyny/gojq"
)

// longestPlain is the longest plain expression in bytes: recursion over it stays
// shallow.
const longestPlain = 1 << 10

// plain is the compiled expression of a task, nil if it is not plain, or does not
// compile.
func (t exprTask) plain() *expression {
	if len(t.Text) > longestPlain {
		return nil
	}
	query, err := gojq.Parse(string(t.Text))
	if err != nil {
		return nil
	}
	e := &expression{exprTask: t}
	if e.values, err = t.arguments(); err != nil || !e.isPlain(query) {
		return nil
	}
	var needs *needed
	if !t.Pair {
		needs = &needed{}
		e.need(needs, query)
	}
	if e, err = t.compile(); err != nil {
		return nil
	}
	e.needs = needs
	return e
}

// isPlain reports whether a query is one change at a path of keys, or a pipe of
// several. The new values are constant: else each change could double the document.
func (e *expression) isPlain(q *gojq.Query) bool {
	if e.Pair {
		return e.isLook(q)
	}
	if q.Meta != nil || len(q.Imports) > 0 || len(q.FuncDefs) > 0 || len(q.Patterns) > 0 {
		return false
	}
	if q.Term != nil {
		del := q.Term.Func
		return q.Term.Type == gojq.TermTypeFunc && del.Name == "del" && len(del.Args) == 1 &&
			len(q.Term.SuffixList) == 0 && e.isPath(del.Args[0])
	}
	switch q.Op {
	case gojq.OpPipe:
		return e.isPlain(q.Left) && e.isPlain(q.Right)
	case gojq.OpAssign, gojq.OpUpdateAdd:
		return e.isPath(q.Left) && e.isConstant(q.Right)
	case gojq.OpUpdateSub: // on arrays it compares all with all
		return e.isPath(q.Left) && isNumber(q.Right.Term)
	}
	return false
}

// isPath reports whether a query is a path of keys. Indexes are excluded, since one can
// make an array of any length.
func (e *expression) isPath(q *gojq.Query) bool {
	t := q.Term
	if t == nil || len(q.FuncDefs) > 0 || t.Type != gojq.TermTypeIndex || !e.isKey(t.Index) {
		return false
	}
	return !slices.ContainsFunc(t.SuffixList, func(s *gojq.Suffix) bool {
		return s.Iter || s.Optional || !e.isKey(s.Index)
	})
}

func (e *expression) isKey(index *gojq.Index) bool {
	switch {
	case index.IsSlice || index.End != nil:
		return false
	case index.Start != nil:
		value, _ := e.variable(index.Start)
		_, text := value.(string)
		return text || isText(index.Start)
	case index.Str != nil:
		return len(index.Str.Queries) == 0
	}
	return index.Name != ""
}

func (e *expression) isConstant(q *gojq.Query) bool {
	if _, ok := e.variable(q); ok || isNumber(q.Term) || isText(q) {
		return true
	}
	t := q.Term
	if t == nil || len(t.SuffixList)+len(q.FuncDefs) > 0 {
		return false
	}
	return t.Type == gojq.TermTypeNull || t.Type == gojq.TermTypeTrue ||
		t.Type == gojq.TermTypeFalse
}

func isText(q *gojq.Query) bool {
	t := q.Term
	return t != nil && t.Type == gojq.TermTypeString && len(t.Str.Queries) == 0 &&
		len(t.SuffixList)+len(q.FuncDefs) == 0
}

// variable is the value of a query that is only a variable of the command line.
func (e *expression) variable(q *gojq.Query) (any, bool) {
	t := q.Term
	if t == nil || t.Type != gojq.TermTypeFunc ||
		len(t.Func.Args)+len(t.SuffixList)+len(q.FuncDefs) > 0 {
		return nil, false
	}
	at := slices.Index(e.Names, t.Func.Name)
	if at < 0 {
		return nil, false
	}
	return e.values[at], true
}

func isNumber(t *gojq.Term) bool {
	if t != nil && t.Type == gojq.TermTypeUnary && len(t.SuffixList) == 0 {
		t = t.Unary.Term
	}
	return t != nil && t.Type == gojq.TermTypeNumber && len(t.SuffixList) == 0
}
