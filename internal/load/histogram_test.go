package load

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestQuantiles compares quantiles with those of the sorted durations.
func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		durations := rapid.SliceOfN(rapid.Int64Range(0, 1<<62), 1, 200).Draw(t, "durations")
		var h, part Histogram
		for i, d := range durations {
			if i%3 == 0 {
				part.Add(time.Duration(d))
			} else {
				h.Add(time.Duration(d))
			}
		}
		told, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		var heard Histogram
		if err := json.Unmarshal(told, &heard); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(heard, part) {
			t.Fatalf("%+v came back as %+v", part, heard)
		}
		h.Merge(&heard)
		slices.Sort(durations)
		longest := time.Duration(durations[len(durations)-1])
		if h.Count() != uint64(len(durations)) || h.Longest() != longest {
			t.Fatalf("%d durations, the longest %v; want %d and %v",
				h.Count(), h.Longest(), len(durations), longest)
		}
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			rank := max(int(q*float64(len(durations))+0.5), 1)
			want := float64(durations[rank-1])
			if got := float64(h.Quantile(q)); got < want || got > want*(1+1.0/fine)+1 {
				t.Fatalf("quantile %v is %v, want %v or little more", q, got, want)
			}
		}
	})
}

func TestNoDurations(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Longest() != 0 || h.Count() != 0 {
		t.Error("an empty histogram has something in it")
	}
}

func TestForeignHistogram(t *testing.T) {
	var h Histogram
	for _, bad := range []string{`{"classes":{"-1":1}}`, `{"classes":{"999999999":1}}`, `3`} {
		if json.Unmarshal([]byte(bad), &h) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
