// The elements of an array after a three-way merge, and their order.
//
// The elements of each side are aligned with those of the base (align.go), and what both
// have added with each other. If one side has moved elements, the result has the order of
// that side, else that of ours; what the other side has added comes after the element that
// it comes after there. If both have moved elements, in different ways, that is a clash.

package splice

import "slices"

func (r *reconciler) array(out []byte, base, ours, theirs *Node, outer layout) []byte {
	defer r.open(base, ours, theirs)()
	slots, ok := r.weave(base, ours, theirs)
	if !ok {
		return r.collide(out, base, ours, theirs, outer)
	}
	lay := layoutOf(r.ours.data, ours, outer)
	places := make([]int, len(slots)) // of the slots in the result
	to := make([]part, 0, 8)
	enter := len(r.way)
	r.way = append(r.way, Step{})
	at := 0
	for n, s := range slots {
		b, o, t := s.of(base, ours, theirs)
		r.way[enter].Index, places[n] = at, at
		f := r.fate(b, o, t)
		if !r.writes(f, b, o, t) {
			continue
		}
		at++
		switch {
		case o == nil:
			text := r.added(nil, f, b, t, lay)
			to = append(to, part{old: -1, until: -1, text: text})
		case f == stays || b != nil && t != nil && r.baseTheirs.sameText(b, t):
			to = stay(to, s.ours)
		default:
			to = alter(to, s.ours, n, n)
		}
	}
	change := func(out []byte, _ *Node, n, _ int) []byte {
		b, o, t := slots[n].of(base, ours, theirs)
		r.way[enter].Index = places[n]
		return r.changed(out, r.fate(b, o, t), b, o, t, lay)
	}
	out = appendContainer(out, r.ours.data, ours, lay, to, change)
	r.way = r.way[:enter]
	return out
}

// weave returns the elements that may be in the result, in their order. It returns false
// if both sides have moved elements in different ways.
func (r *reconciler) weave(base, ours, theirs *Node) ([]slot, bool) {
	fromOurs := r.baseOurs.align(base.Elems, ours.Elems)
	fromTheirs := r.baseTheirs.align(base.Elems, theirs.Elems)
	inOurs, inTheirs := inverse(fromOurs, len(base.Elems)), inverse(fromTheirs, len(base.Elems))
	twins := r.twins(ours, theirs, fromOurs, fromTheirs, inOurs, inTheirs)
	orderOurs, movedOurs := common(fromOurs, inTheirs)
	orderTheirs, movedTheirs := common(fromTheirs, inOurs)
	if movedOurs && movedTheirs && !slices.Equal(orderOurs, orderTheirs) {
		return nil, false
	}
	ofOurs := make([]slot, len(ours.Elems))
	for j, i := range fromOurs {
		ofOurs[j] = slot{i, j, -1}
		if i >= 0 {
			ofOurs[j].theirs = inTheirs[i]
		} else {
			ofOurs[j].theirs = twins[j]
		}
	}
	ofTheirs := make([]slot, len(theirs.Elems))
	for j, i := range fromTheirs {
		ofTheirs[j] = slot{i, -1, j}
		if i >= 0 {
			ofTheirs[j].ours = inOurs[i]
		}
	}
	for j, twin := range twins {
		if twin >= 0 {
			ofTheirs[twin].ours = j
		}
	}
	if movedTheirs && !movedOurs {
		theirsOf := func(s slot) int { return s.theirs }
		return insert(ofTheirs, ofOurs, theirsOf, false), true
	}
	return insert(ofOurs, ofTheirs, func(s slot) int { return s.ours }, true), true
}

// inverse returns for each element of the base its place on a side, or -1.
func inverse(from []int, count int) []int {
	in := make([]int, count)
	for i := range in {
		in[i] = -1
	}
	for j, i := range from {
		if i >= 0 {
			in[i] = j
		}
	}
	return in
}

// common returns the elements of the base that both sides have, in the order of one, and
// whether it has moved any of them.
func common(from, inOther []int) (order []int, moved bool) {
	for _, i := range from {
		if i >= 0 && inOther[i] >= 0 {
			moved = moved || len(order) > 0 && order[len(order)-1] > i
			order = append(order, i)
		}
	}
	return order, moved
}

// twins pairs elements that both sides have added: equal ones after the same element of
// the base, and objects with the same id at any places. It returns for each of ours the
// index in theirs, or -1.
func (r *reconciler) twins(
	ours, theirs *Node, fromOurs, fromTheirs, inOurs, inTheirs []int,
) []int {
	type value struct {
		after  int
		digest uint64
	}
	m := r.oursTheir
	byValue, byID := map[value][]int{}, map[uint64][]int{}
	for _, a := range additions(fromTheirs, inOurs) {
		elem := &theirs.Elems[a.at]
		is := value{a.after, m.after.digest(elem)}
		byValue[is] = append(byValue[is], a.at)
		if id, ok := m.after.id(elem); ok {
			digest := m.after.digest(&id)
			byID[digest] = append(byID[digest], a.at)
		}
	}
	twins := make([]int, len(fromOurs))
	for j := range twins {
		twins[j] = -1
	}
	if len(byValue) == 0 {
		return twins
	}
	taken := make([]bool, len(theirs.Elems))
	// pair pairs j with the first of some that is not taken, and returns those after it.
	pair := func(j int, with []int, same func(k int) bool) []int {
		for len(with) > 0 && taken[with[0]] {
			with = with[1:]
		}
		if len(with) > 0 && same(with[0]) {
			twins[j], taken[with[0]] = with[0], true
			with = with[1:]
		}
		return with
	}
	for _, a := range additions(fromOurs, inTheirs) {
		elem := &ours.Elems[a.at]
		is := value{a.after, m.before.digest(elem)}
		byValue[is] = pair(a.at, byValue[is], func(k int) bool {
			return m.same(elem, &theirs.Elems[k])
		})
		if id, ok := m.before.id(elem); ok && twins[a.at] < 0 {
			digest := m.before.digest(&id)
			byID[digest] = pair(a.at, byID[digest], func(k int) bool {
				other, _ := m.after.id(&theirs.Elems[k])
				return m.same(&id, &other)
			})
		}
	}
	return twins
}

// An addition is an element that one side has added: its index there, and that of the
// element of the base that it comes after and that both sides have, -1 at the beginning.
type addition struct{ at, after int }

func additions(from, inOther []int) (added []addition) {
	after := -1
	for j, i := range from {
		switch {
		case i < 0:
			added = append(added, addition{j, after})
		case inOther[i] >= 0:
			after = i
		}
	}
	return added
}

// insert returns the elements of one side, and those that only the other one has after
// the elements that they come after there. Of what both have at one place, that of ours
// comes first. in is the place of an element of the other side on this one, or -1.
func insert(into, other []slot, in func(slot) int, intoIsOurs bool) []slot {
	behind := make(map[int][]slot) // by the element of this side, -1 at the beginning
	at := -1
	for _, s := range other {
		if place := in(s); place >= 0 {
			at = place
		} else {
			behind[at] = append(behind[at], s)
		}
	}
	if len(behind) == 0 {
		return into
	}
	slots := make([]slot, 0, len(into)+len(other))
	waits := behind[-1]
	for place, s := range into {
		if own := s.base < 0 && (s.ours < 0 || s.theirs < 0); !own || !intoIsOurs {
			slots, waits = append(slots, waits...), nil
		}
		slots = append(slots, s)
		waits = append(waits, behind[place]...)
	}
	return append(slots, waits...)
}
