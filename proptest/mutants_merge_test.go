// The mutants of three-way merges, and of the drafts of jsonstore edit.

package proptest

const mergeLaws = "TestThree"

var mergeMutants = []mutant{
	{"merge: theirs wins over what ours has changed", mergeLaws, "internal/splice/three.go", []edit{{
		"	case base != nil && r.baseOurs.same(base, ours):\n",
		"	case base != nil:\n",
	}}},
	{"merge: ours wins over what theirs has changed", mergeLaws, "internal/splice/three.go", []edit{{
		"	case base != nil && r.baseTheirs.same(base, theirs) || r.oursTheir.same(ours, theirs):\n",
		"	case base != nil || r.oursTheir.same(ours, theirs):\n",
	}}},
	{"merge: equal changes clash", mergeLaws, "internal/splice/three.go", []edit{{
		" || r.oursTheir.same(ours, theirs):\n",
		":\n",
	}}},
	{"merge: a removal wins over a change of theirs", mergeLaws, "internal/splice/three.go", []edit{{
		"	case ours == nil && r.baseTheirs.same(base, theirs):\n",
		"	case ours == nil:\n",
	}}},
	{"merge: a removal wins over a change of ours", mergeLaws, "internal/splice/three.go", []edit{{
		"	case theirs == nil && r.baseOurs.same(base, ours):\n",
		"	case theirs == nil:\n",
	}}},
	{"merge: objects of both that replace another value are merged", mergeLaws, "internal/splice/three.go", []edit{{
		"ours.Kind != theirs.Kind || base != nil && base.Kind != ours.Kind:\n",
		"ours.Kind != theirs.Kind:\n	case base != nil && base.Kind != ours.Kind && ours.Kind == Object:\n		return r.object(out, nil, ours, theirs, outer)\n",
	}}},
	{"merge: a clash that is not written is not named", "TestThreeSides", "internal/splice/three.go", []edit{{
		"		r.clash(base, ours, theirs)\n		return false\n",
		"		return false\n",
	}}},
	{"merge: an overridden member comes back", "TestThreeDuplicates", "internal/splice/three.go", []edit{{
		"			if f != goes && (f != clashes || r.write != Theirs) {\n",
		"			if f != clashes || r.write != Theirs {\n",
	}}},
	{"merge: a mark beyond the limit of depth", "TestThreeRefuses", "internal/splice/three.go", []edit{{
		"	if r.marked {\n",
		"	if r.marked && len(r.clashes) == 0 {\n",
	}}},
	{"merge: the order of ours whatever theirs has moved", mergeLaws, "internal/splice/reorder.go", []edit{{
		"	if movedTheirs && !movedOurs {\n",
		"	if movedTheirs && !movedOurs && len(slots) < 0 {\n",
	}, {
		"	ofTheirs := make([]slot, len(theirs.Elems))\n",
		"	ofTheirs, slots := make([]slot, len(theirs.Elems)), []slot{}\n",
	}}},
	{"merge: two orders do not clash", mergeLaws, "internal/splice/reorder.go", []edit{{
		"	if movedOurs && movedTheirs && !slices.Equal(orderOurs, orderTheirs) {\n",
		"	if movedOurs && movedTheirs && slices.Equal(orderOurs, orderTheirs[:0]) {\n",
	}}},
	{"merge: what both have added is there twice", mergeLaws, "internal/splice/reorder.go", []edit{{
		"		if len(with) > 0 && same(with[0]) {\n",
		"		if len(with) > 9 && same(with[0]) {\n",
	}}},
	{"merge: elements with different ids are one", mergeLaws, "internal/splice/align.go", []edit{{
		"	return a.otherID(i, j) && (a.strict || n.parts() > 1)\n",
		"	return a.otherID(i, j) && n.parts() > 1\n",
	}}},
	{"merge: scalars that moved are not aligned", mergeLaws, "internal/splice/align.go", []edit{{
		"		if a.before[i].Kind < Array && !a.strict && !a.isLossy(i) {\n",
		"		if a.before[i].Kind < Array && !a.isLossy(i) {\n",
	}}},
	{"merge: the document's change is not merged", "TestMergeIn", "merge.go", []edit{{
		"		data, err := merge.Three(base, ours, old, &merge.Options{\n",
		"		data, err := merge.Three(base, ours, base, &merge.Options{\n",
	}}},
	{"merge: an empty draft deletes", "TestMergeInto", "merge.go", []edit{{
		"		if len(ours) == 0 {\n",
		"		if len(ours) < 0 {\n",
	}}},
	{"merge: the ways to clashes without a bound", "TestThreeDeepClashes", "internal/splice/marks.go", []edit{{
		"func (b budget) full() bool { return b < 0 }\n",
		"func (b budget) full() bool { return b < 0 && b > 0 }\n",
	}}},
	{"merge: a conflict hides behind an object of the document", "TestUnresolved", "internal/cli/edited.go", []edit{{
		"		if count[text]--; count[text] < 0 {\n",
		"		if count[text]--; count[text] < 0 && len(marks) > len(known) {\n",
	}}},
	{"merge: the base of a draft comes first", "TestDraftComesFirst", "internal/cli/draft.go", []edit{{
		"	if err := replaceFile(d.path, content, 0o600); err != nil {\n		return err\n	}\n",
		"",
	}, {
		"	d.base = base\n	return nil\n",
		"	d.base = base\n	return replaceFile(d.path, content, 0o600)\n",
	}}},
	{"merge: a draft is edited twice at once", "TestDraftIsHeld", "internal/cli/draft.go", []edit{{
		"	if locked, err := lock.TryLock(); err == nil && !locked {\n",
		"	if _, err := lock.TryLock(); err != nil {\n",
	}}},
}
