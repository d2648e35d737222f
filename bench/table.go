// The tables.

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/load"
)

// figure is the result of a cell over all rounds.
type figure struct {
	cell    cell
	rates   []float64
	latency load.Histogram
	share   float64 // the worst share of a round
	lost    int     // lost updates of all rounds
	updates float64 // updates of all rounds
	failed  int
	failure string
	missing error // why there is no result
}

func (f *figure) add(m measured, last time.Duration, err error) {
	if err != nil {
		f.missing = err
		return
	}
	if len(f.rates) == 0 || m.Share < f.share {
		f.share = m.Share
	}
	f.rates = append(f.rates, m.Rate)
	f.latency.Merge(&m.Latency)
	f.lost += m.Lost
	f.updates += m.Rate * last.Seconds()
	f.failed += m.Failed
	if f.failure == "" {
		f.failure = m.Failure
	}
}

// rate is the median of the rounds.
func (f *figure) rate() float64 { return median(f.rates) }

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// duration prints two or three digits.
func duration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.3g µs", float64(d)/1e3)
}

// thousands prints a whole number with commas.
func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// updatesTable has a row for each peer. The ratios divide by the rate of the peer named base.
func updatesTable(title, base string, figures []*figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#### %s\n\n", title)
	what := "updates"
	if len(figures) > 0 && figures[0].cell.Transaction > 0 {
		what = "transactions"
	}
	fmt.Fprintf(&b, "| | %s/s | x %s | median | 99.9 %% | longest ", what, base)
	b.WriteString("| slowest/fastest process | lost |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	baseRate := 0.0
	for _, f := range figures {
		if f.cell.Peer == base {
			baseRate = f.rate()
		}
	}
	for _, f := range figures {
		if f.missing != nil {
			if !errors.Is(f.missing, errNotOffered) {
				fmt.Fprintf(&b, "| %s | %v | | | | | | |\n", f.cell.name(), f.missing)
			}
			continue
		}
		ratio := "–"
		if baseRate > 0 {
			ratio = fmt.Sprintf("%.2f", f.rate()/baseRate)
		}
		share := "–"
		if f.cell.Processes > 1 {
			share = fmt.Sprintf("%.2f", f.share)
		}
		lost := "0"
		if f.lost != 0 {
			lost = fmt.Sprintf("%s of %s", thousands(float64(f.lost)),
				thousands(f.updates*float64(max(f.cell.Transaction, 1))))
		}
		if f.failed > 0 {
			lost += fmt.Sprintf("; %d failed (%s)", f.failed, f.failure)
		}
		median, slow := f.latency.Quantile(0.5), f.latency.Quantile(0.999)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n",
			f.cell.name(), thousands(f.rate()), ratio, duration(median), duration(slow),
			duration(f.latency.Longest()), share, lost)
	}
	b.WriteByte('\n')
	return b.String()
}

// The lines of a page between which the tables stand.
const (
	beginFigures = "<!-- figures -->\n"
	endFigures   = "<!-- /figures -->\n"
)

// writeTables writes the tables into a page, between its marks, or prints them if path is empty.
func writeTables(path, tables string) error {
	if path == "" {
		_, err := os.Stdout.WriteString(tables)
		return err
	}
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		old, err = []byte(beginFigures+endFigures), nil
	}
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(beginFigures))
	_, after, ok2 := bytes.Cut(rest, []byte(endFigures))
	if !ok || !ok2 {
		return fmt.Errorf("%s needs the lines %q and %q: the tables stand between them",
			path, beginFigures, endFigures)
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(beginFigures + "\n" + tables + endFigures)
	b.Write(after)
	return os.WriteFile(path, b.Bytes(), 0o644)
}
