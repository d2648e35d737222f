// Aligns the elements of two arrays: which old element became which new one, so that it
// keeps the members that a Go type does not know.
//
// The steps, in this order: equal elements at both ends and, between them, a longest
// common subsequence; of a run of equal elements the first ones stay. Other equal
// containers, which moved. Then changed elements: those with the same id, or with the
// same value of the member that distinguishes most of them; those that are more than
// half equal, if the match is unambiguous; and between two pairs, if equally many were
// removed and added, those at the same place. Objects with different ids are never
// paired, unless the id is their only member. All others were removed or are new.
//
// A strict alignment is for a three-way merge, in which the other side may have changed or
// removed an element: scalars that moved are paired too, and objects with different ids
// never.

package splice

import (
	"bytes"
	"unicode/utf8"
)

type aligner struct {
	*merger
	before, after []Node
	from          []int  // for each of after, its index in before, or -1
	taken         []bool // which of before are paired
}

const (
	// largestTable bounds the pairs of elements that are compared for a common
	// subsequence.
	largestTable = 1 << 20
	// maxAlike bounds the pairs that are compared to find similar elements.
	maxAlike = 1 << 12
	// maxKeys bounds the keys that are tried to distinguish elements.
	maxKeys = 32
)

func (m *merger) align(before, after []Node) []int {
	a := m.aligner(before, after)
	start, endB, endA := a.trim(0, len(before), len(after), m.sameText)
	if endB != endA || !a.inOrder(start, endB) {
		a.search(start, endB, endA)
	}
	return a.from
}

func (m *merger) aligner(before, after []Node) *aligner {
	a := &aligner{
		merger: m, before: before, after: after,
		from: make([]int, len(after)), taken: make([]bool, len(before)),
	}
	for j := range a.from {
		a.from[j] = -1
	}
	return a
}

// search takes all steps for the elements between the given indexes.
func (a *aligner) search(start, endB, endA int) {
	if endB-start != 1 || endA-start != 1 {
		start, endB, endA = a.trim(start, endB, endA, a.same)
		if start < endB && start < endA {
			a.subsequence(start, endB, endA)
		}
		a.first()
		if left := a.left(); len(left) > 0 {
			a.moved(left)
			a.keyed(a.left())
			a.alike(a.left())
		}
	}
	a.inPlace()
}

func (a *aligner) pair(i, j int) { a.from[j], a.taken[i] = i, true }

// left returns the unpaired elements of after, or nil if before has none to pair.
func (a *aligner) left() []int {
	paired := 0
	for _, i := range a.from {
		if i >= 0 {
			paired++
		}
	}
	if paired == len(a.taken) {
		return nil
	}
	left := make([]int, 0, len(a.from)-paired)
	for j, i := range a.from {
		if i < 0 {
			left = append(left, j)
		}
	}
	return left
}

// free returns the unpaired elements of before.
func (a *aligner) free() []int {
	paired := 0
	for _, taken := range a.taken {
		if taken {
			paired++
		}
	}
	free := make([]int, 0, len(a.taken)-paired)
	for i, taken := range a.taken {
		if !taken {
			free = append(free, i)
		}
	}
	return free
}

// trim pairs the equal elements at the beginning and end.
func (a *aligner) trim(start, endB, endA int, same func(before, after *Node) bool) (int, int, int) {
	for start < endB && start < endA && same(&a.before[start], &a.after[start]) {
		a.pair(start, start)
		start++
	}
	for endB > start && endA > start && same(&a.before[endB-1], &a.after[endA-1]) {
		endB--
		endA--
		a.pair(endB, endA)
	}
	return start, endB, endA
}

// subsequence pairs a longest common subsequence, unless the table would be too large.
func (a *aligner) subsequence(start, endB, endA int) {
	before, after := a.before[start:endB], a.after[start:endA]
	rows, columns := len(before), len(after)
	if rows > largestTable/columns {
		return
	}
	for i := range before {
		a.merger.before.digest(&before[i])
	}
	for j := range after {
		a.merger.after.digest(&after[j])
	}
	// length[i*(columns+1)+j] is the length of the longest one from before[i], after[j] on.
	length := make([]int32, (rows+1)*(columns+1))
	at := func(i, j int) *int32 { return &length[i*(columns+1)+j] }
	for i := rows - 1; i >= 0; i-- {
		for j := columns - 1; j >= 0; j-- {
			if before[i].digest == after[j].digest {
				*at(i, j) = *at(i+1, j+1) + 1
			} else {
				*at(i, j) = max(*at(i+1, j), *at(i, j+1))
			}
		}
	}
	for i, j := 0, 0; i < rows && j < columns; {
		switch {
		case before[i].digest == after[j].digest && a.same(&before[i], &after[j]):
			a.pair(start+i, start+j)
			i++
			j++
		case *at(i+1, j) >= *at(i, j+1):
			i++
		default:
			j++
		}
	}
}

// first moves pairs to the first elements of runs of equal elements in before.
func (a *aligner) first() {
	last := -1
	for j, i := range a.from {
		if i < 0 {
			continue
		}
		for i > last+1 && !a.taken[i-1] && a.twins(i-1, i) {
			a.taken[i], a.taken[i-1] = false, true
			i--
		}
		a.from[j], last = i, i
	}
}

func (a *aligner) twins(i, j int) bool {
	d := a.merger.before
	n, twin := &a.before[i], &a.before[j]
	return d.digest(n) == d.digest(twin) && equal(d, n, d, twin)
}

// moved pairs equal containers at any places, in order, and in a strict alignment scalars.
func (a *aligner) moved(left []int) {
	free := a.free()
	first := map[uint64]int{}      // by digest, the first in free
	next := make([]int, len(free)) // for each of free, the next one with its digest
	for n := len(free) - 1; n >= 0; n-- {
		i := free[n]
		if a.before[i].Kind < Array && !a.strict && !a.isLossy(i) {
			continue // a scalar has nothing to lose
		}
		digest := a.merger.before.digest(&a.before[i])
		next[n] = len(free)
		if after, ok := first[digest]; ok {
			next[n] = after
		}
		first[digest] = n
	}
	for _, j := range left {
		digest := a.merger.after.digest(&a.after[j])
		n, ok := first[digest]
		if ok && n < len(free) && a.same(&a.before[free[n]], &a.after[j]) {
			a.pair(free[n], j)
			first[digest] = next[n]
		}
	}
}

// isLossy reports whether an element of before may stand for half of a surrogate pair.
func (a *aligner) isLossy(i int) bool {
	d, n := a.merger.before, &a.before[i]
	return a.merger.old.lossy && n.Kind == String && bytes.ContainsRune(d.raw(n), utf8.RuneError)
}

// keyed pairs objects by the value of one member: the id if there is one, else the
// member that is unique in before and pairs the most objects, or of several such
// members the one that leaves more objects in place.
func (a *aligner) keyed(left []int) {
	free := a.free()
	if len(left) == 0 || len(free) == 0 {
		return
	}
	first := &a.before[free[0]]
	defer a.merger.before.forget(first, a.merger.before.open(first))
	var best [][2]int
	bestPlaced, bestID := 0, false
	for k, member := range first.Members {
		if k == maxKeys || bestID {
			break
		}
		pairs, placed := a.byKey(member.Key, k, free, left)
		id := isID(member.Key) && len(pairs) > 0
		if id || len(pairs) > len(best) || len(pairs) == len(best) && placed > bestPlaced {
			best, bestPlaced, bestID = pairs, placed, id
		}
	}
	for _, p := range best {
		if !a.otherID(p[0], p[1]) {
			a.pair(p[0], p[1])
		}
	}
}

// byKey pairs objects by the value of the member with a key, which is mostly at place
// k. If a value occurs twice in before, there are no pairs; values that occur twice in
// after are not paired.
func (a *aligner) byKey(key string, k int, free, left []int) (pairs [][2]int, placed int) {
	places := make(map[uint64]int, len(free))
	for _, i := range free {
		if value := telling(a.merger.before, &a.before[i], key, k); value.Kind != Null {
			digest := a.merger.before.digest(&value)
			if _, twice := places[digest]; twice {
				return nil, 0
			}
			places[digest] = i
		}
	}
	values, count := make([]uint64, len(left)), map[uint64]int{}
	for n, j := range left {
		if value := telling(a.merger.after, &a.after[j], key, k); value.Kind != Null {
			values[n] = a.merger.after.digest(&value)
			count[values[n]]++
		}
	}
	for n, j := range left {
		if i, ok := places[values[n]]; ok && count[values[n]] == 1 {
			pairs = append(pairs, [2]int{i, j})
			if i == j {
				placed++
			}
		}
	}
	return pairs, placed
}

// alike pairs elements that are more than half equal, if each is the other's only best
// match.
func (a *aligner) alike(left []int) {
	free := a.free()
	if len(left) == 0 || len(free) > maxAlike/len(left) {
		return
	}
	type best struct{ with, score, ties int }
	ofBefore, ofAfter := map[int]best{}, map[int]best{}
	note := func(of map[int]best, n, with, score int) {
		switch b := of[n]; {
		case score > b.score:
			of[n] = best{with, score, 0}
		case score == b.score:
			b.ties++
			of[n] = b
		}
	}
	for _, i := range free {
		for _, j := range left {
			common, most := a.common(&a.before[i], &a.after[j])
			if 2*common > most && !a.otherID(i, j) {
				score := common * 1000 / most
				note(ofBefore, i, j, score)
				note(ofAfter, j, i, score)
			}
		}
	}
	for _, i := range free {
		b := ofBefore[i]
		other := ofAfter[b.with]
		if b.score > 0 && b.ties == 0 && other.with == i && other.ties == 0 {
			a.pair(i, b.with)
		}
	}
}

// common returns the number of parts that two containers share, by digest, and the
// number of parts of the larger one.
func (a *aligner) common(n, m *Node) (common, most int) {
	if n.Kind != m.Kind || n.Kind < Array {
		return 0, 0
	}
	before, after := a.merger.before, a.merger.after
	defer before.forget(n, before.open(n))
	defer after.forget(m, after.open(m))
	most = max(n.parts(), m.parts())
	if n.Kind == Object {
		is := after.finder(m)
		for k := range n.Members {
			other := is.find(n.Members[k].Key)
			if other >= 0 && before.digest(n.value(k)) == after.digest(m.value(other)) {
				common++
			}
		}
		return common, most
	}
	count := make(map[uint64]int, len(n.Elems))
	for k := range n.Elems {
		count[before.digest(&n.Elems[k])]++
	}
	for k := range m.Elems {
		if digest := after.digest(&m.Elems[k]); count[digest] > 0 {
			count[digest]--
			common++
		}
	}
	return common, most
}

// inPlace pairs the elements left between two pairs, if their numbers are equal.
func (a *aligner) inPlace() {
	next := 0 // index in before after the last pair
	for j := 0; j <= len(a.after); j++ {
		start := j
		for j < len(a.after) && a.from[j] < 0 {
			j++
		}
		end := len(a.before)
		if j < len(a.after) {
			end = a.from[j]
		}
		if end-next == j-start && !a.anyTaken(next, end) {
			for k := range j - start {
				if !a.isAnother(next+k, start+k) {
					a.pair(next+k, start+k)
				}
			}
		}
		next = end + 1
	}
}

func (a *aligner) anyTaken(from, until int) bool {
	for i := from; i < until; i++ {
		if a.taken[i] {
			return true
		}
	}
	return false
}

// isAnother reports whether two objects have different ids. Objects whose only member
// is the id count as changed, not as different objects.
func (a *aligner) isAnother(i, j int) bool {
	n, d := &a.before[i], a.merger.before
	defer d.forget(n, d.open(n))
	return a.otherID(i, j) && (a.strict || n.parts() > 1)
}
