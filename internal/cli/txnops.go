// The operations of a transaction as JSON. They are checked wholly before any document is
// opened: a member or an operation that is not known is an error that names it.

package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jsonstore/jsonstore/internal/docpatch"
	"github.com/jsonstore/jsonstore/internal/docpath"
	"github.com/jsonstore/jsonstore/internal/splice"
	"github.com/jsonstore/jsonstore/store"
)

// operation is one step of a transaction.
type operation struct {
	number int // from 1; 0 is the expression of the command line
	verb   string
	files  []string // in their order
	names  []string // of the files, parallel to them, where they are the members of an object
	many   bool     // the files are those of an array or object, not a single one

	path    *string
	value   []byte         // the text of value, patch or by; nil without
	version *store.Version // expected
	exists  *bool          // expected
	expr    *exprTask
	program *program // the compiled expr
}

// form is the members that an operation has beside op, and those that it may have.
type form struct{ has, may []string }

// forms has the operations. Files stands for file or files.
var forms = map[string]form{
	"expect": {[]string{"files"}, []string{"path", "version", "value", "exists", "expr", "args"}},
	"set":    {[]string{"file", "path", "value"}, nil},
	"incr":   {[]string{"file", "path"}, []string{"by"}},
	"append": {[]string{"file", "path", "value"}, nil},
	"expr":   {[]string{"files", "expr"}, []string{"args"}},
	"merge":  {[]string{"file", "patch"}, nil},
	"patch":  {[]string{"file", "patch"}, nil},
	"create": {[]string{"file", "value"}, nil},
	"write":  {[]string{"file", "value"}, nil},
	"delete": {[]string{"file"}, []string{"path"}},
}

// expectations are the members of which an expectation has exactly one.
var expectations = []string{"version", "value", "exists", "expr"}

// opError is the error of an operation, on a file if it is about one.
type opError struct {
	number     int
	verb, file string
	err        error
}

func (e *opError) Error() string { return e.prefix() + e.err.Error() }
func (e *opError) Unwrap() error { return e.err }

func (e *opError) prefix() string {
	switch {
	case e.number == 0:
		return ""
	case e.verb == "":
		return fmt.Sprintf("operation %d: ", e.number)
	}
	return fmt.Sprintf("operation %d (%s): ", e.number, e.verb)
}

// parseOperations reads operations and checks them.
func parseOperations(data []byte, common *commonFlags) ([]*operation, error) {
	lim := splice.Limits{AllowDuplicateKeys: common.duplicates}
	root, err := splice.Parse(data, lim)
	if err != nil {
		return nil, fmt.Errorf("%w JSON: %w", store.ErrInvalid, err)
	}
	if root.Kind != splice.Array {
		return nil, usage("the operations are %v, not an array", root.Kind)
	}
	var all []*operation
	for i := range root.Elems {
		p := opParser{data: data, node: &root.Elems[i], lim: lim, common: common}
		p.op.number = i + 1
		p.parse()
		if p.err != nil {
			return nil, &opError{number: p.op.number, verb: p.op.verb, err: p.err}
		}
		all = append(all, &p.op)
	}
	return all, nil
}

// opParser reads one operation. After an error its methods do nothing.
type opParser struct {
	data   []byte
	node   *splice.Node
	lim    splice.Limits
	common *commonFlags
	op     operation
	err    error
}

func (p *opParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = usage(format, args...)
	}
}

func (p *opParser) parse() {
	if p.node.Kind != splice.Object {
		p.fail("it is %v, not an object", p.node.Kind)
		return
	}
	verb := p.text("op")
	form, known := forms[verb]
	switch {
	case p.err != nil:
		return
	case verb == "":
		p.fail(`it has no "op": want one of %s`, verbs())
		return
	case !known:
		p.fail("there is no operation %q: want one of %s", verb, verbs())
		return
	}
	p.op.verb = verb
	p.members(form)
	p.files()
	p.op.path = p.optional("path")
	p.expectation()
	p.expr()
	p.values()
	if p.op.path != nil {
		if err := docpath.Check(*p.op.path, verb != "expect"); err != nil {
			p.fail("%v", err)
		}
	}
}

func verbs() string { return strings.Join(slices.Sorted(maps.Keys(forms)), ", ") }

// members checks that the operation has the members of its form, once each, and no other.
func (p *opParser) members(f form) {
	known := slices.Concat([]string{"op"}, f.has, f.may)
	several := slices.Contains(f.has, "files")
	if several {
		known = slices.Insert(known, 1, "file")
	}
	seen := map[string]bool{}
	for _, m := range p.node.Members {
		switch {
		case !slices.Contains(known, m.Key):
			p.fail("unknown member %q: want only %s", m.Key, strings.Join(known, ", "))
		case seen[m.Key]:
			p.fail("%q stands there twice", m.Key)
		}
		seen[m.Key] = true
	}
	if several && seen["file"] == seen["files"] {
		p.fail("want either file or files")
	}
	for _, name := range f.has {
		if !seen[name] && name != "files" {
			p.fail("it has no %q", name)
		}
	}
}

// text is the text of a member; empty if there is none.
func (p *opParser) text(name string) string {
	m := p.node.Find(name)
	if p.err != nil || m == nil {
		return ""
	}
	return p.textOf(name, &m.Value)
}

func (p *opParser) textOf(name string, n *splice.Node) string {
	if n.Kind != splice.String {
		p.fail("%q is %v, not a string", name, n.Kind)
		return ""
	}
	text := splice.Unquote(p.raw(n))
	if splice.HasHalf(text) {
		p.fail("%q contains half of a surrogate pair", name)
	}
	return text
}

func (p *opParser) optional(name string) *string {
	if p.node.Find(name) == nil {
		return nil
	}
	text := p.text(name)
	return &text
}

func (p *opParser) raw(n *splice.Node) []byte { return p.data[n.Start:n.End] }

// find is the value of a member, nil if there is none.
func (p *opParser) find(name string) *splice.Node {
	if m := p.node.Find(name); m != nil && p.err == nil {
		return &m.Value
	}
	return nil
}

// files reads which documents the operation is about.
func (p *opParser) files() {
	add := func(member string, n *splice.Node) {
		file := p.textOf(member, n)
		switch {
		case file == "":
			p.fail("the name of a file is empty")
		case slices.Contains(p.op.files, file):
			p.fail("%s is there twice", file)
		}
		p.op.files = append(p.op.files, file)
	}
	if n := p.find("file"); n != nil {
		add("file", n)
		return
	}
	n := p.find("files")
	if n == nil {
		return
	}
	p.op.many = true
	switch n.Kind {
	case splice.Array:
		for i := range n.Elems {
			add("files", &n.Elems[i])
		}
	case splice.Object:
		for i := range n.Members {
			m := &n.Members[i]
			switch {
			case splice.HasHalf(m.Key):
				p.fail("a name in files contains half of a surrogate pair")
			case slices.Contains(p.op.names, m.Key):
				p.fail("the name %q is there twice", m.Key)
			}
			p.op.names = append(p.op.names, m.Key)
			add("files", &m.Value)
		}
	default:
		p.fail(`"files" is %v, not an array or an object of the names of files`, n.Kind)
	}
	if len(p.op.files) == 0 {
		p.fail(`"files" is empty`)
	}
}

// expectation reads what an operation expects.
func (p *opParser) expectation() {
	if p.op.verb != "expect" {
		return
	}
	has := 0
	for _, name := range expectations {
		if p.node.Find(name) != nil {
			has++
		}
	}
	if has != 1 {
		p.fail("want exactly one of %s", strings.Join(expectations, ", "))
	}
	version, exists := p.optional("version"), p.find("exists")
	expr := p.node.Find("expr") != nil
	switch {
	case p.err != nil:
	case version != nil:
		v, err := store.ParseVersion(*version)
		if err != nil {
			p.fail("%v", err)
		}
		p.op.version = &v
	case exists != nil && exists.Kind != splice.True && exists.Kind != splice.False:
		p.fail(`"exists" is %v, not true or false`, exists.Kind)
	case exists != nil:
		is := exists.Kind == splice.True
		p.op.exists = &is
	}
	switch {
	case p.op.path != nil && (version != nil || expr):
		p.fail(`"path" is for value and exists`)
	case p.op.many && !expr:
		p.fail(`"files" is for expr; name one file`)
	case p.node.Find("args") != nil && !expr:
		p.fail(`"args" is for expr`)
	}
}

// expr reads an expression and its arguments.
func (p *opParser) expr() {
	text := p.optional("expr")
	if text == nil || p.err != nil {
		return
	}
	task := newTask(*text, p.common, len(p.op.files))
	if err := checkLength(*text); err != nil {
		p.err = err
		return
	}
	if err := checkExpression(*text); err != nil {
		p.err = err
		return
	}
	if args := p.find("args"); args != nil {
		if args.Kind != splice.Object {
			p.fail(`"args" is %v, not an object`, args.Kind)
		}
		for i := range args.Members {
			m := &args.Members[i]
			if splice.HasHalf(m.Key) {
				p.fail("a name in args contains half of a surrogate pair")
			}
			task.add(m.Key, p.raw(&m.Value))
		}
	}
	p.op.expr = task
}

// values reads the value that the operation takes, as it is spelled.
func (p *opParser) values() {
	for _, name := range [...]string{"value", "patch", "by"} {
		n := p.find(name)
		switch {
		case n == nil:
			continue
		case name == "by" && n.Kind != splice.Number:
			p.fail(`"by" is %v, not a number`, n.Kind)
		case p.op.verb == "patch":
			if err := docpatch.Check(p.raw(n), p.lim); err != nil {
				p.fail("%v", err)
			}
		}
		p.op.value = p.raw(n)
	}
}
