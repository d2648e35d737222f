// Package load measures what a load costs: how long each operation took, and what that comes to over all of them.
package load

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"
)

// A Histogram counts durations in classes that grow with them: a class is at most one part in 32 wide, so that a quantile is
// right to 3 percent whatever its size. The zero value is empty. This is the log-linear layout of HdrHistogram.
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

// class is where a duration is counted. Below fine nanoseconds each has a class of its own.
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

// Merge counts all that other has counted.
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

// Count is how many durations were counted.
func (h *Histogram) Count() uint64 { return h.count }

// Longest is the longest of them, exactly; 0 if there is none.
func (h *Histogram) Longest() time.Duration { return h.longest }

// Sum is what they come to.
func (h *Histogram) Sum() time.Duration { return h.sum }

// Quantile returns the duration that the fraction q of them does not exceed: 0.5 is the median. It is 0 if there is none.
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

// histogramJSON is how one process tells another.
type histogramJSON struct {
	Classes map[int]uint64 `json:"classes"`
	Sum     time.Duration  `json:"sum_ns"`
	Longest time.Duration  `json:"longest_ns"`
}

// MarshalJSON implements json.Marshaler.
func (h Histogram) MarshalJSON() ([]byte, error) {
	told := histogramJSON{Classes: map[int]uint64{}, Sum: h.sum, Longest: h.longest}
	for c, n := range h.classes {
		if n > 0 {
			told.Classes[c] = n
		}
	}
	return json.Marshal(told)
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var told histogramJSON
	if err := json.Unmarshal(data, &told); err != nil {
		return err
	}
	*h = Histogram{sum: told.Sum, longest: told.Longest}
	for c, n := range told.Classes {
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
