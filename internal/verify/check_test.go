// The checks of wrong histories: a check must find each of them wrong.

package verify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// wants fails unless err contains the text, or is nil if the text is empty.
func wants(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Errorf("got %v, want nothing wrong", err)
	case text != "" && (err == nil || !strings.Contains(err.Error(), text)):
		t.Errorf("got %v, want that %q", err, text)
	}
}

func TestCheckHolds(t *testing.T) {
	for _, test := range []struct {
		name      string
		holds     []Hold
		handOvers int
		wrong     string
	}{
		{"none", nil, 0, ""},
		{"in turns", []Hold{{1, 10, 20}, {2, 20, 30}, {1, 31, 40}}, 2, ""},
		{"recorded in another order", []Hold{{2, 20, 30}, {1, 31, 40}, {1, 10, 20}}, 2, ""},
		{"one has it twice", []Hold{{1, 10, 20}, {1, 21, 30}}, 0, ""},
		{"of no length", []Hold{{1, 10, 10}, {2, 10, 10}, {1, 10, 12}}, 2, ""},
		{"overlap", []Hold{{1, 10, 20}, {2, 19, 30}}, 0, "processes 1 and 2 held the lock at once, for 1 ns"},
		{"one within the other", []Hold{{1, 10, 50}, {2, 20, 30}}, 0, "for 10 ns"},
		{"at the same time", []Hold{{1, 10, 20}, {2, 10, 20}}, 0, "held the lock at once"},
		{"behind a short one", []Hold{{1, 10, 50}, {1, 50, 52}, {2, 51, 60}}, 0, "processes 1 and 2"},
		{"with itself", []Hold{{1, 10, 20}, {1, 15, 30}}, 0, "processes 1 and 1"},
		{"the clock goes back", []Hold{{1, 20, 10}}, 0, "the clock went back"},
	} {
		t.Run(test.name, func(t *testing.T) {
			handOvers, err := CheckHolds(test.holds)
			wants(t, err, test.wrong)
			if err == nil && handOvers != test.handOvers {
				t.Errorf("%d hand-overs, want %d", handOvers, test.handOvers)
			}
		})
	}
}

// document returns a document with a count for each of the members p1, p2 and so on.
func document(t *testing.T, counts ...int) []byte {
	t.Helper()
	doc := Document{Of: map[string]int{}}
	for i, n := range counts {
		doc.Of["p"+string(rune('1'+i))] = n
		doc.Total += n
	}
	doc.Pad = pad(doc.Total)
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCheckCounts(t *testing.T) {
	for _, test := range []struct {
		name   string
		counts []Count
		found  []byte
		wrong  string
	}{
		{"all there", []Count{{"p1", 3, false}, {"p2", 4, false}}, document(t, 3, 4), ""},
		{"killed before it was told", []Count{{"p1", 3, true}, {"p2", 4, true}}, document(t, 4, 4), ""},
		{"killed before it did anything", []Count{{"p1", 3, false}, {"p2", 0, true}}, document(t, 3), ""},
		{"one lost", []Count{{"p1", 3, false}, {"p2", 4, false}}, document(t, 3, 3), "p2 has 3 of 4"},
		{"one lost of one that was killed", []Count{{"p1", 3, true}}, document(t, 2), "p1 has 2 of 3"},
		{"two more of one that was killed", []Count{{"p1", 3, true}}, document(t, 5), "p1 has 5 of 3"},
		{"one more of one that was not", []Count{{"p1", 3, false}}, document(t, 4), "p1 has 4 of 3"},
		{"a process is gone", []Count{{"p1", 3, false}, {"p2", 4, false}}, document(t, 3), "p2 has 0 of 4"},
		{"of nobody", []Count{{"p1", 3, false}}, document(t, 3, 1), `"p2" that nobody wrote`},
		{"the sum is another", []Count{{"p1", 3, false}}, bytes.Replace(document(t, 3), []byte(`"total":3`), []byte(`"total":4`), 1), "different versions"},
		{"no document", []Count{{"p1", 3, false}}, nil, "not whole"},
		{"half a document", []Count{{"p1", 3, false}}, document(t, 3)[:100], "not whole"},
	} {
		t.Run(test.name,
			func(t *testing.T) { wants(t, CheckCounts(test.counts, test.found), test.wrong) })
	}
}

func TestWatch(t *testing.T) {
	mixed := append(document(t, 1)[:2000:2000], document(t, 2)[2000:]...)
	for _, test := range []struct {
		name  string
		seen  [][]byte
		wrong string
	}{
		{"growing", [][]byte{nil, nil, document(t, 1), document(t, 1), document(t, 2, 5), document(t, 9, 5)}, ""},
		{"empty", [][]byte{document(t, 1), {}}, "0 bytes is not whole"},
		{"zeros", [][]byte{make([]byte, 4096)}, "not whole"},
		{"half", [][]byte{document(t, 1)[:1000]}, "not whole"},
		{"of two versions", [][]byte{mixed}, "different versions"},
		{"with a tail", [][]byte{append(document(t, 1), '}')}, "not whole"},
		{"backwards", [][]byte{document(t, 1, 3), document(t, 2, 2)}, "p2 went back from 3 to 2"},
		{"a member is gone", [][]byte{document(t, 1, 3), document(t, 9)}, "p2 went back from 3 to 0"},
		{"gone for a moment", [][]byte{document(t, 1), nil}, "absent for a moment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var w Watch
			var err error
			for i, data := range test.seen {
				if err = w.See(data); err != nil && i < len(test.seen)-1 {
					t.Fatalf("content %d: %v", i, err)
				}
			}
			wants(t, err, test.wrong)
		})
	}
	var w Watch
	for range 3 {
		wants(t, w.See(document(t, 1)), "")
	}
	if w.Reads != 3 || w.Versions != 1 {
		t.Errorf("%d reads of %d versions, want 3 of 1", w.Reads, w.Versions)
	}
}

func TestCheckCreations(t *testing.T) {
	good := Creation{[]string{"p1"}, "p1"}
	for _, test := range []struct {
		name  string
		races []Creation
		wrong string
	}{
		{"one winner each", []Creation{good, {[]string{"p2"}, "p2"}}, ""},
		{"two winners", []Creation{good, {[]string{"p1", "p2"}, "p2"}}, "race 2: the creation of the document was acknowledged to 2"},
		{"no winner", []Creation{{nil, "p1"}}, "race 1: nobody"},
		{"a loser's content", []Creation{{[]string{"p1"}, "p2"}}, `p1 created the document, which has the content of "p2"`},
	} {
		t.Run(test.name, func(t *testing.T) { wants(t, CheckCreations(test.races), test.wrong) })
	}
}

func TestCheckLitter(t *testing.T) {
	wants(t, CheckLitter("a.json", []string{".a.json.lock", "a.json"}), "")
	wants(t, CheckLitter("a.json", []string{".a.json.0123456789abcdef.tmp", "a.json"}),
		"1 files were left")
}

func TestIncrement(t *testing.T) {
	var data []byte
	for want := 1; want < 100; want++ {
		var value int
		var err error
		if data, value, err = increment(data, "p1"); err != nil || value != want {
			t.Fatalf("increment: %d, %v; want %d", value, err, want)
		}
	}
	wants(t, CheckCounts([]Count{{"p1", 99, false}}, data), "")
	if _, _, err := increment([]byte(`{"total":1}`), "p1"); err == nil {
		t.Error("a document that is not whole was counted up")
	}
}

func TestSteps(t *testing.T) {
	for _, test := range []struct {
		times            []int64
		common, smallest int64
	}{
		{nil, 0, 0},
		{[]int64{7_000_000_001, 5_000_000_002}, 1, 0},
		{[]int64{2_000_000_000, 8_000_000_000, 14_000_000_000}, 2_000_000_000, 6_000_000_000},
		{[]int64{1_000_300, 1_000_700, 1_000_700, 1_001_000}, 100, 300},
	} {
		if got := commonStep(test.times); got != test.common {
			t.Errorf("the common step of %d is %d, want %d", test.times, got, test.common)
		}
		if got := smallestStep(test.times); got != test.smallest {
			t.Errorf("the smallest step of %d is %d, want %d", test.times, got, test.smallest)
		}
	}
}

func TestCheckSum(t *testing.T) {
	wants(t, CheckSum("a view", accounts*opening), "")
	wants(t, CheckSum("a view", accounts*opening-1), "a view found 599 units, not 600")
}
