// Which element of an array became which of another one, so that it keeps what is not
// known of it.
//
// In this order: equal elements at the beginning and end and, between them, a longest
// common subsequence; of a run of equal elements the first ones stay. Other equal
// containers, which moved. Then what changed: elements with the same id, or the same
// value of the member that tells most of them apart; elements more than half of which is
// equal, if there is no doubt which is meant; and, where between two elements that are
// paired as many went as came, those in the same place. Objects with different ids are
// never paired, unless the id is all they have. All others went or are new.

package splice

import (
	"bytes"
	"unicode/utf8"
)

type aligner struct {
	*merger
	before, after []Node
	from          []int  // for each of after, which of before it was, or -1
	taken         []bool // which of before are taken
}

const (
	// largestTable is how many pairs of elements are compared at the most for a common
	// subsequence.
	largestTable = 1 << 20
	// mostAlike is how many pairs are compared at the most to find elements that are
	// alike.
	mostAlike = 1 << 12
	// mostKeys is how many keys are tried to tell elements apart.
	mostKeys = 32
)

func (m *merger) align(before, after []Node) []int {
	a := &aligner{
		merger: m, before: before, after: after,
		from: make([]int, len(after)), taken: make([]bool, len(before)),
	}
	for j := range a.from {
		a.from[j] = -1
	}
	start, endB, endA := a.trim(0, len(before), len(after), m.sameText)
	if endB-start != 1 || endA-start != 1 {
		start, endB, endA = a.trim(start, endB, endA, m.same)
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
	return a.from
}

func (a *aligner) pair(i, j int) { a.from[j], a.taken[i] = i, true }

// left returns which of after are not paired, if there are any of before to pair them
// with.
func (a *aligner) left() (left []int) {
	for j, i := range a.from {
		if i < 0 {
			left = append(left, j)
		}
	}
	if len(left) == len(a.from)-len(a.taken) {
		return nil
	}
	return left
}

// free returns which of before are not paired.
func (a *aligner) free() (free []int) {
	for i, taken := range a.taken {
		if !taken {
			free = append(free, i)
		}
	}
	return free
}

// trim pairs what is the same at the beginning and end.
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

// subsequence pairs a longest common subsequence, unless that is too much work.
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
	// length[i*(columns+1)+j] is that of the longest one from before[i], after[j] on.
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

// first moves pairs to the first ones of runs of equal elements of before.
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

// moved pairs containers that are equal wherever they stand, the first ones first.
func (a *aligner) moved(left []int) {
	places := map[uint64][]int{}
	for _, i := range a.free() {
		if a.before[i].Kind < Array && !a.isLossy(i) {
			continue // nothing in it that could be lost
		}
		digest := a.merger.before.digest(&a.before[i])
		places[digest] = append(places[digest], i)
	}
	for _, j := range left {
		digest := a.merger.after.digest(&a.after[j])
		if at := places[digest]; len(at) > 0 && a.same(&a.before[at[0]], &a.after[j]) {
			a.pair(at[0], j)
			places[digest] = at[1:]
		}
	}
}

// isLossy reports whether an element of before may stand for half of a surrogate pair.
func (a *aligner) isLossy(i int) bool {
	d, n := a.merger.before, &a.before[i]
	return a.merger.old.lossy && n.Kind == String && bytes.ContainsRune(d.raw(n), utf8.RuneError)
}

// keyed pairs objects by the value of one member: the id if they have one, else the
// member that is different in all of before and pairs the most; of several such the one
// that leaves more in place.
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
		if k == mostKeys || bestID {
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

// byKey pairs objects by the value of the member with a key, which is mostly the one at
// place k. The value must not be twice in before; nor are those paired that are twice in
// after.
func (a *aligner) byKey(key string, k int, free, left []int) (pairs [][2]int, placed int) {
	places := make(map[uint64]int, len(free))
	for _, i := range free {
		if value := telling(a.merger.before, &a.before[i], key, k); value != nil {
			digest := a.merger.before.digest(value)
			if _, twice := places[digest]; twice {
				return nil, 0
			}
			places[digest] = i
		}
	}
	values, count := make([]uint64, len(left)), map[uint64]int{}
	for n, j := range left {
		if value := telling(a.merger.after, &a.after[j], key, k); value != nil {
			values[n] = a.merger.after.digest(value)
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

// alike pairs elements that have more than half in common, if each is the only one most
// like the other.
func (a *aligner) alike(left []int) {
	free := a.free()
	if len(left) == 0 || len(free) > mostAlike/len(left) {
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

// common returns how many parts of two containers are equal, by their digests, and how
// many parts the larger one has.
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

// inPlace pairs what is left between two pairs, if it is as many of both.
func (a *aligner) inPlace() {
	next := 0 // of before, the one after the last pair
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

// isAnother reports whether two objects have different ids, and more than that: what has
// an id only is taken for changed.
func (a *aligner) isAnother(i, j int) bool {
	n, d := &a.before[i], a.merger.before
	defer d.forget(n, d.open(n))
	return a.otherID(i, j) && n.parts() > 1
}
