// How deep an expression can nest values, as far as its text tells. gojq calls itself once a level
// where it compares, merges, writes or updates values, and a stack that overflows ends the process,
// which nothing can prevent. It takes up to 600 bytes a level, of 512 MiB. What is not sure to stay
// far below that runs in a process of its own.

package cli

import (
	"strings"

	"github.com/itchyny/gojq"
)

// mostLevels is how deep an expression may nest values in this process. The stack has room for
// four times as many.
const mostLevels = 200_000

// reach is what an expression can do.
type reach struct {
	// loops: it can apply a part of itself to what that part has made, and nest values by one
	// level or more each time. Else they are no deeper than the document and the text together.
	loops bool
	// far: it can use a value as a path, which takes a call for each of its steps, and any number
	// of them may come of a few instructions.
	far bool
	// suffixes counts those of the text. An instruction nests values by no more levels than a
	// path has that is written down.
	suffixes int
	// descents counts what is applied to each level of a value, and levels what the text nests
	// at most: each descent may add as many to each level.
	descents, levels int
}

// plain names the functions that apply nothing to what it has made, in any number of arguments.
// All that are not here count as loops: those of the user, and recurse(f), repeat, until, while.
var plain = set(`
	IN abs acos acosh add all any arrays ascii ascii_downcase ascii_upcase asin asinh atan atan2
	atanh booleans bsearch capture cbrt ceil combinations contains copysign cos cosh del drem empty
	endswith env erf erfc error exp exp10 exp2 explode expm1 fabs fdim finites first flatten floor
	fma fmax fmin fmod format frexp from_entries fromdate fromdateiso8601 fromjson gamma getpath
	gmtime group_by gsub halt halt_error has hypot implode in index indices infinite inside isempty
	isfinite isinfinite isnan isnormal iterables j0 j1 jn join keys last ldexp length lgamma limit
	localtime log log10 log1p log2 logb ltrim ltrimstr map map_values match max max_by min min_by
	mktime modf nan nearbyint nextafter nexttoward normals not now nth nulls numbers objects path
	paths pick pow range remainder reverse rindex rint round rtrim rtrimstr scalars scalb scalbln
	scan select setpath significand sin sinh skip sort sort_by split splits sqrt startswith
	strflocaltime strftime strings strptime sub tan tanh test tgamma to_entries toboolean todate
	todateiso8601 tojson tonumber tostring tostream transpose trim trimstr trunc type unique
	unique_by utf8bytelength values walk with_entries y0 y1 yn
`)

// byPath names those that take a value for a path, with the number of the argument, or else -1.
var byPath = map[string]int{"getpath": 0, "setpath": 0, "delpaths": -1, "fromstream": -1}

func set(words string) map[string]bool {
	names := map[string]bool{}
	for _, word := range strings.Fields(words) {
		names[word] = true
	}
	return names
}

// prepare finds out how far an expression reaches, and puts guards in.
func prepare(query *gojq.Query) (r reach) {
	var guards guarded
	visit(query, func(node any) bool {
		r.see(node)
		guards.see(node)
		return true
	})
	guards.insert()
	factor := 1
	for range r.descents {
		factor *= 1 + r.levels
		r.loops = r.loops || factor > mostLevels/maxDepth
	}
	return r
}

// see looks at one node.
func (r *reach) see(node any) {
	switch n := node.(type) {
	case *gojq.Reduce:
		r.loops = r.loops || !isFlat(n.Update)
	case *gojq.Foreach:
		r.loops = r.loops || !isFlat(n.Update)
	case *gojq.FuncDef:
		r.loops = true
	case *gojq.Term:
		switch n.Type {
		case gojq.TermTypeRecurse:
			r.descents++
		case gojq.TermTypeArray, gojq.TermTypeObject, gojq.TermTypeIndex:
			r.levels++
		}
	case *gojq.Suffix:
		r.suffixes++
		r.levels++
	case *gojq.Func:
		r.call(n)
	}
}

func (r *reach) call(f *gojq.Func) {
	if f.Name[0] == '$' {
		return
	}
	switch {
	case f.Name == "walk" || f.Name == "recurse" && len(f.Args) == 0:
		r.descents++
	case !plain[f.Name]:
		r.loops = true
	}
	r.levels += 2 // as to_entries does
	if i, ok := byPath[f.Name]; ok {
		r.far = r.far || i < 0 || i >= len(f.Args) || !isShort(f.Args[i])
	}
}

// isShort reports whether an array is a path that has no more steps than its text, none of
// them far: ["a", $b, 0].
func isShort(query *gojq.Query) bool {
	term := query.Term
	if term == nil || term.Type != gojq.TermTypeArray || len(term.SuffixList) > 0 {
		return false
	}
	for todo := []*gojq.Query{term.Array.Query}; len(todo) > 0; {
		q := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch {
		case q == nil:
		case q.Op == gojq.OpComma:
			todo = append(todo, q.Left, q.Right)
		case q.Term == nil || len(q.FuncDefs) > 0 || len(q.Term.SuffixList) > 0:
			return false
		case q.Term.Type == gojq.TermTypeNumber:
			if at, ok := number(q); !ok || at > fewElements {
				return false // an array would be made as long as that
			}
		case q.Term.Type == gojq.TermTypeString && len(q.Term.Str.Queries) == 0:
		case q.Term.Type == gojq.TermTypeFunc && q.Term.Func.Name[0] == '$':
		default:
			return false
		}
	}
	return true
}
