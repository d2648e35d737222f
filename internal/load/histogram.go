// Package load has the operations of a load, and the distribution of their durations.
package load

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"
)

// A Histogram counts durations in classes. The width of a class is at most 1/32 of its
// durations, so that a quantile is exact to 3 percent. The zero value is empty. The layout
// of the classes is the log-linear one of HdrHistogram.
type Histogram struct {
	classes []uint64
	count   uint64
	sum     time.Duration
	longest time.Duration
}

const (
	fineBits = 5
	fine     = 1 << fineBits // classes in each power of two
)

// class returns the class of a duration. Each duration below 2*fine nanoseconds has its own class.
func class(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < fine {
		return int(n)
	}
	power := bits.Len64(n) - fineBits - 1
	return power*fine + int(n>>power)
}

// most is the longest duration of a class.
func most(class int) time.Duration {
	if class < 2*fine {
		return time.Duration(class)
	}
	power := class/fine - 1
	return time.Duration((uint64(class%fine+fine)+1)<<power - 1)
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	c := class(d)
	for len(h.classes) <= c {
		h.classes = append(h.classes, 0)
	}
	h.classes[c]++
	h.count++
	h.sum += d
	h.longest = max(h.longest, d)
}

// Merge adds the durations of another histogram.
func (h *Histogram) Merge(other *Histogram) {
	for len(h.classes) < len(other.classes) {
		h.classes = append(h.classes, 0)
	}
	for c, n := range other.classes {
		h.classes[c] += n
	}
	h.count += other.count
	h.sum += other.sum
	h.longest = max(h.longest, other.longest)
}

// Count returns the number of durations.
func (h *Histogram) Count() uint64 { return h.count }

// Longest returns the longest duration, exactly, or 0 if there is none.
func (h *Histogram) Longest() time.Duration { return h.longest }

// Sum returns the sum of the durations.
func (h *Histogram) Sum() time.Duration { return h.sum }

// Quantile returns the duration that the fraction q of the durations does not exceed: 0.5 is the
// median. It is 0 if there is no duration.
func (h *Histogram) Quantile(q float64) time.Duration {
	wanted := max(uint64(q*float64(h.count)+0.5), 1)
	var seen uint64
	for c, n := range h.classes {
		if seen += n; seen >= wanted {
			return min(most(c), h.longest)
		}
	}
	return h.longest
}

// histogramJSON is the form in which a process sends a histogram to another.
type histogramJSON struct {
	Classes map[int]uint64 `json:"classes"`
	Sum     time.Duration  `json:"sum_ns"`
	Longest time.Duration  `json:"longest_ns"`
}

// MarshalJSON implements json.Marshaler.
func (h Histogram) MarshalJSON() ([]byte, error) {
	sent := histogramJSON{Classes: map[int]uint64{}, Sum: h.sum, Longest: h.longest}
	for c, n := range h.classes {
		if n > 0 {
			sent.Classes[c] = n
		}
	}
	return json.Marshal(sent)
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var sent histogramJSON
	if err := json.Unmarshal(data, &sent); err != nil {
		return err
	}
	*h = Histogram{sum: sent.Sum, longest: sent.Longest}
	for c, n := range sent.Classes {
		if c < 0 || c > class(1<<63-1) {
			return fmt.Errorf("no class %d in a histogram", c)
		}
		for len(h.classes) <= c {
			h.classes = append(h.classes, 0)
		}
		h.classes[c] += n
		h.count += n
	}
	return nil
}
