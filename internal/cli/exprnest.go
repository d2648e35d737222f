// Loops that nest nothing, as those that add up or count: what a pass makes of the last one's
// value is no deeper than that, or than what is written down.

package cli

import (
	"reflect"
	"strings"

	"github.com/itchyny/gojq"
)

// nesting names the plain functions that may put their input, or what they are given, deeper.
var nesting = set("from_entries group_by setpath to_entries walk with_entries")

// visit calls see for each node of a part of an expression, until it returns false. The nodes are
// kept in a list, since they may be nested deeply.
func visit(part any, see func(node any) bool) {
	for todo := []reflect.Value{reflect.ValueOf(part)}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				continue
			}
			if !see(v.Interface()) {
				return
			}
			todo = append(todo, v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				todo = append(todo, v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				todo = append(todo, v.Index(i))
			}
		}
	}
}

// every reports whether all nodes are such.
func every(part any, such func(node any) bool) bool {
	all := true
	visit(part, func(node any) bool {
		all = such(node)
		return all
	})
	return all
}

// isFlat reports whether the body of a loop nests nothing.
func isFlat(body *gojq.Query) bool {
	return every(body, func(node any) bool {
		switch n := node.(type) {
		case *gojq.Query:
			switch n.Op {
			case gojq.OpModify:
				return isFixed(n.Left) // what is there stays as deep, or is written down
			case gojq.OpAssign, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul,
				gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
				return isFixed(n.Left) && isApart(n.Right)
			}
		case *gojq.Term:
			switch n.Type {
			case gojq.TermTypeArray, gojq.TermTypeObject:
				return isApart(n)
			case gojq.TermTypeReduce, gojq.TermTypeForeach:
				return false
			}
		case *gojq.Pattern, *gojq.FuncDef:
			return false // a variable or a function could stand for the value
		case *gojq.Func:
			return n.Name[0] == '$' || plain[n.Name] && !nesting[n.Name]
		}
		return true
	})
}

// isFixed reports whether a path is as long as its text.
func isFixed(path *gojq.Query) bool {
	return every(path, func(node any) bool {
		switch n := node.(type) {
		case *gojq.Term:
			return n.Type != gojq.TermTypeRecurse
		case *gojq.Func:
			return n.Name[0] == '$'
		}
		return true
	})
}

// isApart reports whether what a part of the body makes has nothing of the loop's value in it: it
// takes variables, which are bound outside, and what is written down.
func isApart(part any) bool {
	return every(part, func(node any) bool {
		switch n := node.(type) {
		case *gojq.Term:
			switch n.Type {
			case gojq.TermTypeIdentity, gojq.TermTypeRecurse, gojq.TermTypeIndex, gojq.TermTypeFormat:
				return false
			}
		case *gojq.ObjectKeyVal:
			return n.Val != nil || strings.HasPrefix(n.Key, "$") // {a} is {a: .a}
		case *gojq.Func:
			return n.Name[0] == '$'
		}
		return true
	})
}
