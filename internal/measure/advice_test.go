package measure

import (
	"strings"
	"testing"
)

// TestAdvice: the advice follows from the figures, and draws no conclusions from missing rows.
func TestAdvice(t *testing.T) {
	one := func(sync string, median float64) Update {
		return Update{Section: byProcesses, Mode: "hash", Sync: sync, Processes: 1, Goroutines: 1,
			Documents: 1, Bytes: smallest, MedianUs: median, RatePerS: 1e6 / median, Updates: 9}
	}
	many := func(mode string, rate float64) Update {
		return Update{Section: byProcesses, Mode: mode, Sync: "durable", Processes: 8,
			Goroutines: 1, Documents: 1, Bytes: smallest, MedianUs: 1, RatePerS: rate, Updates: 9}
	}
	row := func(section string, u Update) Update {
		u.Section, u.Mode, u.Sync, u.Updates = section, "hash", "durable", 9
		return u
	}
	for _, test := range []struct {
		name    string
		rows    []Update
		lost    int
		want    []string
		without []string
	}{
		{name: "nothing", without: []string{"ocking", "goroutines", "disk"}},
		{name: "a slow disk", rows: []Update{one("durable", 5000), one("ordered", 500), one("volatile", 50)},
			want: []string{"5 ms here", "500 µs", "50 µs", "10.0 times faster", "100.0 times",
				"about 200 durable"}},
		{name: "a fast disk", rows: []Update{one("durable", 90), one("ordered", 80), one("volatile", 50)}, want: []string{"costs little"}},
		{name: "ordered is cheap", rows: []Update{one("durable", 900), one("ordered", 80), one("volatile", 50)}, want: []string{"hardly more than volatile"}},
		{name: "locking helps", rows: []Update{many("hash", 100), many("locking", 150)}, want: []string{"Consider locking if 8", "1.50 durable"}},
		{name: "locking does not help", rows: []Update{many("hash", 100), many("locking", 109)}, want: []string{"not worth it", "1.09 durable"}},
		{name: "documents help", rows: []Update{row(byDocuments, Update{Documents: 1, Processes: 8, RatePerS: 1000}), row(byDocuments, Update{Documents: 100, Processes: 8, RatePerS: 5000})},
			want: []string{"1,000 durable updates a second, and 5,000 with 100 documents"}},
		{name: "documents do not help", rows: []Update{row(byDocuments, Update{Documents: 1, Processes: 8, RatePerS: 1000}), row(byDocuments, Update{Documents: 100, Processes: 8, RatePerS: 1100})},
			want: []string{"no more updates"}},
		{name: "goroutines", rows: []Update{row(byGoroutines, Update{Goroutines: 1, RatePerS: 100}), row(byGoroutines, Update{Goroutines: 64, RatePerS: 2500})}, want: []string{"64 of them make 2,500", "25.0 times"}},
		{name: "transactions", rows: []Update{row(byTransaction, Update{Transaction: 1, Goroutines: 1, Processes: 1, MedianUs: 500}), row(byTransaction, Update{Transaction: 10, Goroutines: 1, Processes: 1, MedianUs: 900}), row(byTransaction, Update{Transaction: 10, Goroutines: 64, Processes: 1, MedianUs: 7}), row(byTransaction, Update{Transaction: 10, Goroutines: 1, Processes: 8, MedianUs: 8})},
			want:    []string{"takes 500 µs for one document, 900 µs for 10:"},
			without: []string{"7 µs", "8 µs"}},
		{name: "sizes", rows: []Update{row(bySize, Update{Bytes: 200, MedianUs: 500}), row(bySize, Update{Bytes: 1_000_000, MedianUs: 3000})}, want: []string{"1 MB takes 3 ms, against 500 µs for 200 bytes"}},
		{name: "lost", rows: []Update{one("durable", 5)}, lost: 3, want: []string{"LOST: 3"}},
	} {
		text := strings.Join(advise(&Report{Updates: test.rows, Lost: test.lost}), "\n")
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %q", test.name, want, text)
			}
		}
		for _, unwanted := range test.without {
			if strings.Contains(text, unwanted) {
				t.Errorf("%s: there is %q in %q", test.name, unwanted, text)
			}
		}
	}
}
