package powercut

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/journal"
	"github.com/jsonstore/jsonstore/store"
)

// TestJournalPowerCuts: processes append to a journal of 100 KB a segment, another one flushes,
// and the power is cut. Durable: every acknowledged record is there once, in the order of its
// process. Durable and ordered: nothing is torn, and numbers have no gap. JSONSTORE_CUTS and
// JSONSTORE_CUT_FS are as for TestPowerCuts.
func TestJournalPowerCuts(t *testing.T) {
	cuts := number(t, "JSONSTORE_CUTS", 3)
	for _, system := range fileSystems("ext4") {
		for _, durability := range []store.Durability{store.Durable, store.Ordered} {
			t.Run(system+" "+durability.String(), func(t *testing.T) {
				x := &journalExperiment{experiment: newExperiment(t, system, durability)}
				start := time.Now()
				for range cuts {
					x.cutOnce()
				}
				t.Logf(
					"%d cuts, %d acknowledged, %d records read, %d cuts after which acknowledged ones "+
						"were missing (%d in all), %d torn tails moved aside, %.0f s",
					x.cuts,
					x.acknowledged,
					x.found,
					x.lost,
					x.missing,
					x.repairs,
					time.Since(start).Seconds(),
				)
			})
		}
	}
}

type journalExperiment struct {
	*experiment
	found, missing, repairs int
}

const journalWriters = 4

func (x *journalExperiment) cutOnce() {
	x.t.Helper()
	file := filepath.Join(x.mount, "audit.jsonl")
	x.procs = nil
	start := func(j job) {
		p, err := j.start(0)
		if err != nil {
			x.t.Fatal(err)
		}
		x.procs = append(x.procs, p)
	}
	start(job{Kind: flushing, File: filepath.Join(x.mount, "other")})
	for i := range journalWriters {
		start(job{Kind: journaling, File: file, Member: fmt.Sprintf("w%d.%d", i, x.cuts),
			Opts: x.opts})
	}
	begun := func() bool {
		for _, p := range x.procs[1:] {
			if !p.progressed() {
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(time.Minute); !begun(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatal("a process gets nothing done")
		}
	}
	time.Sleep(time.Duration(x.random.IntN(150_000)) * time.Microsecond)
	before := map[string]int64{}
	for _, p := range x.procs[1:] {
		before[p.Member] = p.acknowledged.Load()
		x.acknowledged += before[p.Member]
	}
	x.cut()
	for _, p := range x.procs {
		p.kill()
	}
	x.cuts++
	x.restart()
	x.judge(file, before)
}

// judge appends, which repairs what the cut has left, and reads all of the journal.
func (x *journalExperiment) judge(file string, before map[string]int64) {
	x.t.Helper()
	log, err := openJournal(file, x.opts.Durability, func(journal.Repair) { x.repairs++ })
	var last uint64
	if err == nil {
		defer log.Close()
		last, err = log.Append(context.Background(), []byte(`{"Name":"after"}`))
	}
	if err != nil {
		x.t.Fatalf("cut %d: the next writer: %v", x.cuts, err)
	}
	found, total := map[string]int64{}, uint64(0)
	for r, err := range log.Records(context.Background(), 1) {
		total++
		var e entry
		if err == nil {
			err = json.Unmarshal(r.Value, &e)
		}
		switch {
		case err != nil:
			x.torn++
			x.t.Errorf("cut %d: %v", x.cuts, err)
			return
		case r.Seq != total:
			x.t.Errorf("cut %d: record %d is number %d", x.cuts, r.Seq, total)
			return
		case e.Name == "after":
		case int64(e.N) != found[e.Name]+1:
			x.t.Errorf("cut %d: %s's %d comes after its %d", x.cuts, e.Name, e.N, found[e.Name])
			return
		default:
			found[e.Name]++
		}
	}
	if total != last {
		x.t.Errorf("cut %d: %d records, the last one is %d", x.cuts, total, last)
	}
	x.found += int(total)
	lost := 0
	for name, n := range before {
		if found[name] < n {
			lost += int(n - found[name])
			x.complain("%s has %d records, %d were acknowledged", name, found[name], n)
		}
	}
	if lost > 0 {
		x.lost++
		x.missing += lost
	}
	_ = log.Close() // it may be compressing
	if total < 1000 {
		return
	}
	// Begin anew: reading all of it takes longer than a cut.
	for _, pattern := range []string{file + "*", filepath.Join(x.mount, ".audit.jsonl.*")} {
		old, err := filepath.Glob(pattern)
		if err != nil {
			x.t.Fatal(err)
		}
		for _, name := range old {
			if err := os.Remove(name); err != nil {
				x.t.Error(err)
			}
		}
	}
}
