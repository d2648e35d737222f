// What came of a measurement, as it is printed in JSON.

package measure

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/load"
)

// Report is all of it.
type Report struct {
	Dir     string   `json:"dir"`
	Date    string   `json:"date"` // of the day
	Seconds float64  `json:"seconds"`
	Command string   `json:"command"`
	Machine Machine  `json:"machine"`
	Updates []Update `json:"updates"`
	Reads   []Read   `json:"reads"`
	Lost    int      `json:"lost"`   // updates that were acknowledged and are in no document
	Advice  []string `json:"advice"` // what to do, in words
}

// Machine is where it was measured.
type Machine struct {
	System     string `json:"system"`
	Kernel     string `json:"kernel,omitempty"`
	Cores      int    `json:"cores"`
	FileSystem string `json:"file_system"`
	FlushOrder string `json:"flush_order"` // journal or portable
	Go         string `json:"go"`
	Program    string `json:"program"`
}

// What varies in a row of the report.
const (
	byProcesses  = "processes"
	byGoroutines = "goroutines"
	bySize       = "size"
	byDocuments  = "documents"
)

// Update is one row: updates of one kind.
type Update struct {
	Section    string `json:"section"` // what varies: processes, goroutines, size or documents
	Mode       string `json:"mode"`
	Sync       string `json:"sync"`
	Processes  int    `json:"processes"`
	Goroutines int    `json:"goroutines"` // of each process
	Documents  int    `json:"documents"`
	Bytes      int    `json:"bytes"` // of each document

	RatePerS    float64 `json:"rate_per_s"`
	MedianUs    float64 `json:"median_us"`
	P999Us      float64 `json:"p999_us"` // 99.9 of 100 take no longer
	LongestUs   float64 `json:"longest_us"`
	Updates     int     `json:"updates"`
	Conflicts   uint64  `json:"conflicts"`
	Retries     uint64  `json:"retries"`
	Escalations uint64  `json:"escalations"`
	LockWaits   uint64  `json:"lock_waits"`
	Fairness    float64 `json:"fairness"` // updates of the slowest process over those of the fastest
	Lost        int     `json:"lost"`
	Failed      int     `json:"failed"`
	Failure     string  `json:"failure,omitempty"` // the first, or why it was not measured
}

// Measured reports whether there are figures.
func (u Update) Measured() bool { return u.Updates > 0 }

// Read is one row: reads of a document of some size.
type Read struct {
	Bytes       int     `json:"bytes"`
	FirstUs     float64 `json:"first_us"`     // of one that the handle has not read before
	UnchangedUs float64 `json:"unchanged_us"` // of one that it has
}

// set puts in what some processes have done in the given time.
func (u *Update) set(each []tally, last time.Duration) {
	var all tally
	slowest, fastest := -1, 0
	for _, t := range each {
		all.add(t)
		if slowest < 0 || t.Acknowledged < slowest {
			slowest = t.Acknowledged
		}
		fastest = max(fastest, t.Acknowledged)
	}
	u.Updates, u.Failed, u.Failure = all.Acknowledged, all.Failed, all.Failure
	u.RatePerS = round(float64(all.Acknowledged) / last.Seconds())
	u.setLatency(&all.Latency)
	u.Conflicts, u.Retries, u.Escalations, u.LockWaits = all.Stats.Conflicts, all.Stats.Retries, all.Stats.Escalations, all.Stats.LockWaits
	u.Fairness = round(float64(slowest) / float64(max(fastest, 1)))
}

func (u *Update) setLatency(h *load.Histogram) {
	u.MedianUs, u.P999Us, u.LongestUs = microseconds(h.Quantile(0.5)), microseconds(h.Quantile(0.999)), microseconds(h.Longest())
}

func microseconds(d time.Duration) float64 { return round(float64(d) / 1e3) }

// round keeps three digits: there are no more in a measurement.
func round(x float64) float64 {
	var rounded float64
	if _, err := fmt.Sscanf(fmt.Sprintf("%.3g", x), "%g", &rounded); err != nil {
		return x
	}
	return rounded
}

func describe(files fsys.FS, dir, program string) Machine {
	m := Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(), Program: program, FlushOrder: "portable"}
	if files.OneJournal(dir) {
		m.FlushOrder = "journal"
	}
	m.FileSystem, _ = files.Type(dir) // empty where that is not known
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	return m
}
