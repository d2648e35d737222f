// Finds one place in a document, in one pass and with little memory, whatever the size
// of the document. Of each container on the way it keeps only the parts that an edit
// looks at: the first, the last two, and the one on the way with its neighbours.

package splice

// A Step leads from a container to one of its parts: in an object to the member with the
// key, in an array to the element with the index.
type Step struct {
	Key   string
	Index int // Last, or Nowhere
}

// Special indexes.
const (
	Last    = -1 // the last element, if there is one
	Nowhere = -2 // no element
)

// Located is a document and the nodes that the steps lead through.
type Located struct {
	Root *Node
	// Nodes are the root and the nodes that the steps lead to, as far as they exist.
	// Containers have only some of their parts.
	Nodes  []*Node
	Counts []int // the number of parts of each in the document
	parts  []int // the index of the next node among the parts that are kept
}

// End is the last of the nodes.
func (l *Located) End() *Node { return l.Nodes[len(l.Nodes)-1] }

// Part is the index of the last node in its parent.
func (l *Located) Part() int { return l.parts[len(l.Nodes)-2] }

// Locate checks a document as Check does, and returns what the steps lead to.
func Locate(data []byte, steps []Step, lim Limits) (*Located, error) {
	most := len(steps) + 1
	l := &Located{
		Root:  &Node{},
		Nodes: make([]*Node, 0, most), Counts: make([]int, 0, most), parts: make([]int, 0, most),
	}
	s := scanner{source: &source{data: data}, lim: lim, left: lim.depth()}
	s.way = &way{steps: steps, passed: make([]passed, 0, most)}
	if err := s.document(l.Root); err != nil {
		return nil, err
	}
	l.Nodes = append(l.Nodes, l.Root)
	for n := l.Root; ; l.Nodes = append(l.Nodes, n) {
		at := len(l.Nodes) - 1
		if at == len(s.way.passed) {
			return l, nil
		}
		passed := s.way.passed[at]
		l.Counts, l.parts = append(l.Counts, passed.count), append(l.parts, passed.part)
		if passed.part < 0 {
			return l, nil
		}
		n = n.value(passed.part)
	}
}

// way is the search of a scanner for one place.
type way struct {
	steps  []Step
	passed []passed // the containers on the way so far
}

// passed is a container on the way: its number of parts, and which of the kept parts is
// on the way, or -1.
type passed struct{ count, part int }

// onWay scans the container that the first gone steps lead to.
func (s *scanner) onWay(into *Node, gone int) error {
	w := s.way
	var step *Step
	if gone < len(w.steps) {
		step = &w.steps[gone]
	}
	w.passed = append(w.passed[:gone], passed{part: -1})
	start := s.pos
	if s.left == 0 {
		return s.fail(start, "nested deeper than %d levels", s.lim.depth())
	}
	s.left--
	*into = Node{Kind: Array, Start: start}
	if s.data[start] == '{' {
		into.Kind = Object
	}
	s.pos++
	s.space()
	var err error
	if into.Kind == Object {
		err = s.membersOnWay(into, gone, step)
	} else {
		err = s.elemsOnWay(into, gone, step)
	}
	s.left++
	into.End = s.pos
	return err
}

// partOnWay scans a part; on says whether it is on the way.
func (s *scanner) partOnWay(into *Node, gone int, on bool) error {
	w := s.way
	if !on {
		s.way = nil // no search in it
		err := s.value(into)
		s.way = w
		return err
	}
	w.passed = w.passed[:gone+1]
	if s.pos < len(s.data) && (s.data[s.pos] == '{' || s.data[s.pos] == '[') {
		return s.onWay(into, gone+1)
	}
	return s.value(into)
}

func (s *scanner) membersOnWay(into *Node, gone int, step *Step) error {
	if s.pos < len(s.data) && s.data[s.pos] == '}' {
		s.pos++
		return nil
	}
	first := len(s.keys)
	var many keySet
	var t thinner
	var m Member
	var key keyText
	for {
		if err := s.memberKey(&key, first, &many); err != nil {
			return err
		}
		m.KeyStart, m.KeyEnd = key.start, key.end
		on := step != nil && string(key.text) == step.Key
		if err := s.partOnWay(&m.Value, gone, on); err != nil {
			return err
		}
		into.Members = thin(&t, into.Members, m, on)
		if done, err := s.next('}'); done || err != nil {
			s.keys = s.keys[:first]
			s.way.passed[gone] = t.passed()
			return err
		}
	}
}

func (s *scanner) elemsOnWay(into *Node, gone int, step *Step) error {
	index := Nowhere
	if step != nil {
		index = step.Index
	}
	if s.pos < len(s.data) && s.data[s.pos] == ']' {
		s.pos++
		return nil
	}
	var t thinner
	var elem Node
	for {
		on := index == Last || index == t.count
		if err := s.partOnWay(&elem, gone, on); err != nil {
			return err
		}
		into.Elems = thin(&t, into.Elems, elem, on && index != Last)
		if done, err := s.next(']'); done || err != nil {
			if index == Last {
				t.wanted = len(into.Elems)
			}
			s.way.passed[gone] = t.passed()
			return err
		}
	}
}

// thinner drops the parts of a container that no edit looks at.
type thinner struct {
	count  int    // of all parts so far
	pinned []bool // which of the kept parts are wanted
	wanted int    // the last of these, from 1; 0 is none
	few    [8]bool
}

func (t *thinner) passed() passed { return passed{t.count, t.wanted - 1} }

// thin adds a part, and drops the third from the end unless that is the first, wanted,
// or next to a wanted one.
func thin[T any](t *thinner, parts []T, part T, wanted bool) []T {
	t.count++
	if parts == nil {
		parts, t.pinned = make([]T, 0, 4), t.few[:0]
	}
	parts, t.pinned = append(parts, part), append(t.pinned, wanted)
	if wanted {
		t.wanted = len(parts)
	}
	if at := len(parts) - 3; at > 0 && !t.pinned[at-1] && !t.pinned[at] && !t.pinned[at+1] {
		parts = append(parts[:at], parts[at+1:]...)
		t.pinned = append(t.pinned[:at], t.pinned[at+1:]...)
		if t.wanted > at {
			t.wanted--
		}
	}
	return parts
}
