// The checks: pure functions of the records of a test's processes. The error of a check says
// what is wrong.

package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Hold is an interval in which a process held the lock: from just after it got the lock until
// just before it released it.
type Hold struct {
	Process  int
	From, To int64 // nanoseconds of a clock that the processes share
}

// CheckHolds checks that no two holds overlap, and counts how often the lock went from one
// process to another.
func CheckHolds(holds []Hold) (handOvers int, err error) {
	holds = slices.Clone(holds)
	sort.Slice(holds, func(i, j int) bool {
		if holds[i].From != holds[j].From {
			return holds[i].From < holds[j].From
		}
		return holds[i].To < holds[j].To
	})
	for i, h := range holds {
		if h.To < h.From {
			return handOvers, fmt.Errorf(
				"process %d held the lock for %d ns: the clock went back, "+
					"so the test has no result; run it again", h.Process, h.To-h.From)
		}
		if i == 0 {
			continue
		}
		// The holds are sorted, and so far without overlap: the last one has ended last.
		before := holds[i-1]
		if h.From < before.To {
			return handOvers, fmt.Errorf("processes %d and %d held the lock at once, for %d ns",
				before.Process, h.Process, min(h.To, before.To)-h.From)
		}
		if h.Process != before.Process {
			handOvers++
		}
	}
	return handOvers, nil
}

// Count has the increments that one process made of its own member.
type Count struct {
	Member       string
	Acknowledged int
	Killed       bool // the process was killed, and may have made one increment more
}

// Document is the document that the processes change. It has a member for each process, their
// sum, and a text by which a mixture of two versions differs from a whole version.
type Document struct {
	Total int            `json:"total"`
	Of    map[string]int `json:"of"`
	Pad   string         `json:"pad"`
}

// pad returns a text whose length and letter depend on the total, of up to two pages.
func pad(total int) string {
	return strings.Repeat(string(rune('a'+total%26)), 3000+total*7919%6000)
}

// parseDocument parses a document and checks that it is whole.
func parseDocument(data []byte) (Document, error) {
	var doc Document
	if err := json.Unmarshal(data, &doc); err != nil {
		return doc, fmt.Errorf("a document of %d bytes is not whole: %w", len(data), err)
	}
	sum := 0
	for _, n := range doc.Of {
		sum += n
	}
	if doc.Total != sum || doc.Pad != pad(doc.Total) {
		return doc, fmt.Errorf("a document has parts of different versions: "+
			"total %d, sum of the members %d", doc.Total, sum)
	}
	return doc, nil
}

// increment adds one to a member of a document.
func increment(data []byte, member string) (changed []byte, value int, err error) {
	doc := Document{}
	if data != nil {
		if doc, err = parseDocument(data); err != nil {
			return nil, 0, err
		}
	}
	if doc.Of == nil {
		doc.Of = map[string]int{}
	}
	doc.Of[member]++
	doc.Total++
	doc.Pad = pad(doc.Total)
	changed, err = json.Marshal(doc)
	return changed, doc.Of[member], err
}

// CheckCounts checks that the document has every acknowledged increment, and no other, except
// one of each process that was killed.
func CheckCounts(counts []Count, found []byte) error {
	doc, err := parseDocument(found)
	if err != nil {
		return err
	}
	var wrong []string
	known := map[string]bool{}
	for _, c := range counts {
		known[c.Member] = true
		most := c.Acknowledged
		if c.Killed {
			most++
		}
		if n := doc.Of[c.Member]; n < c.Acknowledged || n > most {
			wrong = append(wrong, fmt.Sprintf("%s has %d of %d", c.Member, n, c.Acknowledged))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("updates were lost or made twice: of those acknowledged, %s", some(wrong))
	}
	for member := range doc.Of {
		if !known[member] {
			return fmt.Errorf("the document has a member %q that nobody wrote", member)
		}
	}
	return nil
}

// Watch checks the contents that a plain reader of the document sees.
type Watch struct {
	Reads    int `json:"reads"`
	Versions int `json:"versions"` // number of reads that differed from the one before
	last     []byte
	seen     map[string]int
}

// See checks the next content; nil means that there was no document.
func (w *Watch) See(data []byte) error {
	w.Reads++
	if data == nil {
		if w.last != nil {
			return errors.New("the document was absent for a moment, while it was replaced")
		}
		return nil
	}
	if bytes.Equal(data, w.last) {
		return nil
	}
	doc, err := parseDocument(data)
	if err != nil {
		return err
	}
	for member, n := range w.seen {
		if doc.Of[member] < n {
			return fmt.Errorf("the count of %s went back from %d to %d", member, n, doc.Of[member])
		}
	}
	w.Versions++
	w.last, w.seen = data, doc.Of
	return nil
}

// Creation is the result of a race of processes that all create the same document.
type Creation struct {
	Winners []string // the processes whose creation was acknowledged
	Content string   // the content of the document
}

// CheckCreations checks that each race has one winner, and that the document has its content.
func CheckCreations(races []Creation) error {
	for i, race := range races {
		switch {
		case len(race.Winners) == 0:
			return fmt.Errorf("race %d: nobody created the document", i+1)
		case len(race.Winners) > 1:
			return fmt.Errorf("race %d: the creation of the document was acknowledged to %d "+
				"processes: %s", i+1, len(race.Winners), some(race.Winners))
		case race.Content != race.Winners[0]:
			return fmt.Errorf("race %d: %s created the document, which has the content of %q",
				i+1, race.Winners[0], race.Content)
		}
	}
	return nil
}

// CheckLitter checks that only the document and its lock file are left.
func CheckLitter(document string, names []string) error {
	var litter []string
	for _, name := range names {
		if name != document && name != "."+document+".lock" {
			litter = append(litter, name)
		}
	}
	if len(litter) > 0 {
		return fmt.Errorf("%d files were left, which the next writer should have removed: %s",
			len(litter), some(litter))
	}
	return nil
}
