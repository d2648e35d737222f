// The flags of a transaction that is one expression: --on names a document, and --as and
// --expect are about the one named last.

package cli

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/jsonstore/jsonstore/store"
)

// onFlags are the documents of --on.
type onFlags struct {
	files, names []string
	expected     []*store.Version // parallel to files; nil for any
}

func (o *onFlags) register(flags *pflag.FlagSet) {
	flags.Var(onValue{"FILE", o.add}, "on",
		"a document that the expression changes: `FILE`; once for each, in the expression's order")
	flags.Var(onValue{"NAME", o.name}, "as",
		"after each --on: the `NAME` of its document, which is that member of an object then")
	flags.Var(onValue{"VERSION", o.expect}, "expect",
		"after --on: change nothing unless the document has this `VERSION` (- if it is absent), "+
			"else exit with 6")
}

// onValue is one of these flags.
type onValue struct {
	kind string
	set  func(text string) error
}

func (v onValue) String() string        { return "" }
func (v onValue) Type() string          { return v.kind }
func (v onValue) Set(text string) error { return v.set(unshield(text)) }

func (o *onFlags) add(file string) error {
	if file == "" {
		return usage("the name of the file is empty")
	}
	if slices.Contains(o.files, file) {
		return usage("%s is there twice", file)
	}
	o.files, o.expected = append(o.files, file), append(o.expected, nil)
	return nil
}

func (o *onFlags) name(name string) error {
	switch {
	case len(o.names) != len(o.files)-1:
		return usage("give each --on one --as, after it, or none")
	case slices.Contains(o.names, name):
		return usage("the name %s is there twice", name)
	}
	if err := checkText("--as", name); err != nil {
		return err
	}
	o.names = append(o.names, name)
	return nil
}

func (o *onFlags) expect(text string) error {
	last := len(o.files) - 1
	if last < 0 || o.expected[last] != nil {
		return usage("give --expect after the --on that it is about, once")
	}
	version, err := store.ParseVersion(text)
	o.expected[last] = &version
	return err
}

// operations are those that the flags stand for: what is expected, and the expression.
func (o *onFlags) operations(expr *exprTask) ([]*operation, error) {
	if len(o.names) > 0 && len(o.names) < len(o.files) {
		return nil, usage("give each --on one --as, after it, or none")
	}
	var all []*operation
	for i, version := range o.expected {
		if version != nil {
			all = append(all, &operation{verb: "expect", files: o.files[i : i+1], version: version})
		}
	}
	return append(all, &operation{
		verb: "expr", files: o.files, names: o.names, many: true, expr: expr,
	}), nil
}
