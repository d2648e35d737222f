// The result of a measurement, as JSON prints it.

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

// Report is the result of a measurement.
type Report struct {
	Dir     string   `json:"dir"`
	Date    string   `json:"date"` // the day
	Seconds float64  `json:"seconds"`
	Command string   `json:"command"`
	Machine Machine  `json:"machine"`
	Updates []Update `json:"updates"`
	Reads   []Read   `json:"reads"`
	Lost    int      `json:"lost"`   // acknowledged updates that are in no document
	Advice  []string `json:"advice"` // advice in sentences
}

// Machine describes the machine of the measurement.
type Machine struct {
	System     string `json:"system"`
	Kernel     string `json:"kernel,omitempty"`
	Cores      int    `json:"cores"`
	FileSystem string `json:"file_system"`
	FlushOrder string `json:"flush_order"` // journal or portable
	Go         string `json:"go"`
	Program    string `json:"program"`
}

// The sections of the report, by the setting that varies.
const (
	byProcesses  = "processes"
	byGoroutines = "goroutines"
	bySize       = "size"
	byDocuments  = "documents"
	// of which several are updated at once; of documents that are also those of others, or not
	byTransaction = "transaction"
)

// Update is a row of the report: updates with the same settings.
type Update struct {
	// the setting that varies: processes, goroutines, size, documents or transaction
	Section    string `json:"section"`
	Mode       string `json:"mode"`
	Sync       string `json:"sync"`
	Processes  int    `json:"processes"`
	Goroutines int    `json:"goroutines"` // of each process
	Documents  int    `json:"documents"`
	Bytes      int    `json:"bytes"` // of each document
	// Transaction is how many documents one transaction updates. Each goroutine updates
	// documents of its own if there are enough of them. In such a row, updates are transactions.
	Transaction int `json:"transaction,omitempty"`

	RatePerS    float64 `json:"rate_per_s"`
	MedianUs    float64 `json:"median_us"`
	P999Us      float64 `json:"p999_us"` // 99.9th percentile
	LongestUs   float64 `json:"longest_us"`
	Updates     int     `json:"updates"`
	Conflicts   uint64  `json:"conflicts"`
	Retries     uint64  `json:"retries"`
	Escalations uint64  `json:"escalations"`
	LockWaits   uint64  `json:"lock_waits"`
	// updates of the slowest process over those of the fastest
	Fairness float64 `json:"fairness"`
	Lost     int     `json:"lost"`
	Failed   int     `json:"failed"`
	// the first error, or why the row was not measured
	Failure string `json:"failure,omitempty"`
}

// Measured reports whether the row has figures.
func (u Update) Measured() bool { return u.Updates > 0 }

// Read is a row of the report: reads of a document of some size.
type Read struct {
	Bytes       int     `json:"bytes"`
	FirstUs     float64 `json:"first_us"`     // the document is new to the handle
	UnchangedUs float64 `json:"unchanged_us"` // the document is unchanged since the last read
}

// set fills in the results of some processes, which worked for the given time.
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
	u.Conflicts, u.Retries = all.Stats.Conflicts, all.Stats.Retries
	u.Escalations, u.LockWaits = all.Stats.Escalations, all.Stats.LockWaits
	u.Fairness = round(float64(slowest) / float64(max(fastest, 1)))
}

func (u *Update) setLatency(h *load.Histogram) {
	u.MedianUs, u.P999Us = microseconds(h.Quantile(0.5)), microseconds(h.Quantile(0.999))
	u.LongestUs = microseconds(h.Longest())
}

func microseconds(d time.Duration) float64 { return round(float64(d) / 1e3) }

// round keeps three digits: a measurement has no more.
func round(x float64) float64 {
	var rounded float64
	if _, err := fmt.Sscanf(fmt.Sprintf("%.3g", x), "%g", &rounded); err != nil {
		return x
	}
	return rounded
}

// Describe describes this machine, and the file system of a directory. Program is the version of
// the program.
func Describe(files fsys.FS, dir, program string) Machine {
	m := Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
		Go: runtime.Version(), Program: program, FlushOrder: "portable"}
	if files.OneJournal(dir) {
		m.FlushOrder = "journal"
	}
	m.FileSystem, _ = files.Type(dir) // empty where that is not known
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	return m
}
