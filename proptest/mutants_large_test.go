// The mutants of large documents: expressions element by element, and merges.

package proptest

const (
	inOrder  = "internal/splice/inorder.go"
	elements = "internal/cli/exprelements.go"
)

var largeMutants = []mutant{
	{"large: other values of the telling member", "InOrder", inOrder, []edit{{
		" || !a.same(&was, &is) {\n", " {\n",
	}}},
	{"large: a value that occurs twice", "NotInOrder", inOrder, []edit{{
		"!before.distinct(a.before[start:end], key)", "end < 0",
	}}},
	{"large: one place is not ascending", "NotInOrder", inOrder, []edit{{
		"ascending && ascends(last, text)", "ascends(last, text)",
	}}},
	{"large: a number in two spellings", "NotInOrder", inOrder, []edit{{
		`"-.eE"`, `"-.E"`,
	}}},
	{"large: a text in two spellings", "NotInOrder", inOrder, []edit{{
		`bytes.IndexByte(text, '\\') >= 0`, "false",
	}}},
	{"large: an equal element after the last", "NotInOrder", inOrder, []edit{{
		"a.twins(end-1, end)", "false",
	}}},
	{"large: a member that the search would not try", "NotInOrder", inOrder, []edit{{
		"place <= maxKeys", "true",
	}}},
	{"large: a member beside the id", "InOrder", inOrder, []edit{{
		"		case k == key || isID(k):\n", "		case k == key:\n",
	}}},
	{"large: a store is rewound below parts that stay", "ShapesAsSmall",
		"internal/splice/tree.go", []edit{{
			"	if d.lasting == o.lasting {\n", "	if true {\n",
		}}},
	{"large: moved elements pair with one", "TestMerge$", "internal/splice/align.go", []edit{{
		"			first[digest] = next[n]\n",
		"",
	}}},
	{"large: old marks in a store", "Law", "internal/splice/claim.go", []edit{{
		"	clear(claimed)\n", "",
	}}},
	{"large: a run over a gap in the old value", "Omitted", "internal/splice/build.go", []edit{{
		"last.was+n == was && ", "",
	}}},
	{"elements: the right side needs the whole document", "ByElement$", elements, []edit{{
		"if !e.isConstant(q.Right) {", "if false {",
	}}},
	{"elements: all results of an element, where the first counts", "ByElement$", elements, []edit{{
		`newByElement(keys, call("first", q.Right))`, "newByElement(keys, q.Right)",
	}}},
	{"elements: an error that is caught", "ByElement$", elements, []edit{{
		"s.Optional || ", "",
	}}},
	{"elements: the path ends early", "ByElement$", elements, []edit{{
		"len(found.Nodes) <= len(b.path) || ", "",
	}}},
	{"elements: no levels above", "ByElementDepth", elements, []edit{{
		"out.depth = len(b.path)", "out.depth = 0",
	}}},
	{"elements: the texts of all stay", "ByElementMemory", elements, []edit{{
		"	e.r.texts.reset()\n", "",
	}}},
}
