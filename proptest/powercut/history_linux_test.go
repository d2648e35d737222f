package powercut

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// remembered is how many versions the history of this test has.
const remembered = 40

// TestHistoryAfterPowerCuts: durable writers in all modes increment one document whose history
// is on. After a power cut the document has what was acknowledged, and its history each of the
// last versions that an acknowledged write has replaced, whole and in order. JSONSTORE_CUTS is
// the number of cuts.
func TestHistoryAfterPowerCuts(t *testing.T) {
	cuts := number(t, "JSONSTORE_CUTS", 3)
	for _, system := range fileSystems("ext4") {
		t.Run(system, func(t *testing.T) {
			x := newExperiment(t, system, store.Durable)
			doc, err := store.OpenFile(x.document, nil)
			if err == nil {
				err = doc.SetHistory(context.Background(), &store.HistoryOptions{Keep: remembered})
			}
			if err == nil {
				err = doc.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			start, versions := time.Now(), 0
			for range cuts {
				versions += x.rememberOnce()
			}
			t.Logf("%d cuts, %d versions made, %d looked at in histories, %.0f s", x.cuts,
				x.acknowledged, versions, time.Since(start).Seconds())
		})
	}
}

// rememberOnce returns how many versions it has looked at.
func (x *experiment) rememberOnce() (versions int) {
	x.t.Helper()
	from := x.counters(x.document)["n"]
	x.procs = nil
	for i := range 1 + len(modes) {
		j := job{Kind: flushing, File: filepath.Join(x.mount, "other")}
		if i > 0 {
			j = job{Kind: remembering, File: x.document, Member: "n", Opts: modes[i-1]}
			j.Opts.FlushOrder = x.opts.FlushOrder
		}
		p, err := j.start(from)
		if err != nil {
			x.t.Fatal(err)
		}
		x.procs = append(x.procs, p)
	}
	acknowledged := from
	for i, n := range x.cutOff() {
		if x.procs[i].Kind == remembering {
			acknowledged = max(acknowledged, n)
		}
	}
	now := x.counters(x.document)["n"]
	if now < acknowledged {
		x.t.Errorf("cut %d: it is %d, acknowledged was %d", x.cuts, now, acknowledged)
	}
	x.acknowledged += now - from
	versions = x.lookBack(now, acknowledged)

	doc, err := store.OpenFile(x.document, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	defer doc.Close()
	if _, _, err = doc.Add(context.Background(), "n", 1); err == nil {
		_, _, err = doc.Sweep(context.Background())
	}
	if err != nil {
		x.t.Errorf("cut %d: the next writer: %v", x.cuts, err)
	}
	// The version that this write has replaced is there too, whatever the cut has left.
	versions += x.lookBack(now+1, acknowledged, now)
	entries, err := os.ReadDir(x.mount)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".tmp") {
			x.t.Errorf("cut %d: litter: %s", x.cuts, entry.Name())
		}
	}
	return versions
}

// lookBack wants the history of the document, which is at now, to have each of the last versions
// before the one that was acknowledged, and others that are given, and none twice.
func (x *experiment) lookBack(now, acknowledged int64, others ...int64) (versions int) {
	x.t.Helper()
	ctx := context.Background()
	doc, err := store.OpenFile(x.document, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	defer doc.Close()
	found, last := map[int64]bool{}, now+1
	for e, err := range doc.History(ctx) {
		var data []byte
		if err == nil {
			data, err = doc.ReadHistory(ctx, e)
		}
		was := map[string]int64{}
		if err == nil {
			err = json.Unmarshal(data, &was)
		}
		n := was["n"]
		if err != nil || n >= last {
			x.t.Errorf("cut %d: the version before %d is %.60q, %v", x.cuts, last, data, err)
			continue
		}
		found[n], last = true, n
		versions++
	}
	for n := max(1, now-remembered); n < acknowledged; n++ {
		others = append(others, n)
	}
	for _, n := range others {
		if !found[n] {
			x.t.Errorf("cut %d: version %d is not in the history; it is at %d, acknowledged was %d",
				x.cuts, n, now, acknowledged)
		}
	}
	return versions
}
