package powercut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// recoveries counts what was found of documents with a version kept beside them.
type recoveries struct {
	whole, torn int // documents as they were found
	kinds       map[store.CandidateKind]int
}

// TestRecoverAfterPowerCuts: volatile writes leave torn documents. Each time the last durable
// version, or a later one, is recovered from what is beside them, and the torn document is moved
// aside as it was. JSONSTORE_CUTS is the number of cuts.
func TestRecoverAfterPowerCuts(t *testing.T) {
	cuts := number(t, "JSONSTORE_CUTS", 3)
	for _, system := range fileSystems("ext4") {
		t.Run(system, func(t *testing.T) {
			x := newExperiment(t, system, store.Durable)
			found := recoveries{kinds: map[store.CandidateKind]int{}}
			start := time.Now()
			for range cuts {
				x.recoverOnce(&found)
			}
			t.Logf("%d cuts, %d acknowledged, %d documents were whole, %d were torn, recovered "+
				"from %v, %.0f s", x.cuts, x.acknowledged, found.whole, found.torn, found.kinds,
				time.Since(start).Seconds())
			if found.torn == 0 && cuts >= 20 {
				t.Error("no document was torn: nothing was to be recovered")
			}
		})
	}
}

func (x *experiment) recoverOnce(found *recoveries) {
	x.t.Helper()
	x.procs = nil
	for i := range 1 + len(modes) {
		j := job{Kind: flushing, File: filepath.Join(x.mount, "other")}
		from := int64(0)
		if i > 0 {
			j = job{Kind: alternating, File: filepath.Join(x.mount, fmt.Sprintf("r%d.json", i)),
				Member: "n", Opts: modes[i-1]}
			j.Opts.KeepLast, j.Opts.FlushOrder = true, x.opts.FlushOrder
			from = x.counters(j.File)["n"]
		}
		p, err := j.start(from)
		if err != nil {
			x.t.Fatal(err)
		}
		x.procs = append(x.procs, p)
	}
	before := x.cutOff()
	for i, p := range x.procs {
		if p.Kind == alternating {
			x.acknowledged += before[i] - p.from
			x.recover(p, before[i], found)
		}
	}
}

// recover recovers the document of a process, if it is torn.
func (x *experiment) recover(p *process, acknowledged int64, found *recoveries) {
	x.t.Helper()
	raw, err := os.ReadFile(p.File)
	if errors.Is(err, os.ErrNotExist) && acknowledged == 0 {
		return
	}
	doc, openErr := store.OpenFile(p.File, nil)
	if err != nil || openErr != nil {
		x.t.Errorf("cut %d: %v, %v", x.cuts, err, openErr)
		return
	}
	defer doc.Close()
	r, err := doc.Recover(context.Background(), nil)
	switch {
	case json.Valid(raw):
		found.whole++
	case err == nil:
		found.torn++
		found.kinds[r.Taken.Kind]++
		if aside, err := os.ReadFile(r.Aside); err != nil || !bytes.Equal(aside, raw) {
			x.t.Errorf("cut %d: moved aside is %.60q, %v, of %.60q", x.cuts, aside, err, raw)
		}
	}
	if err != nil && acknowledged > 0 {
		x.t.Errorf("cut %d: %v; %+v", x.cuts, err, r.Candidates)
		return
	}
	now, data := map[string]int64{}, []byte(nil)
	if data, err = os.ReadFile(p.File); err == nil && acknowledged > 0 {
		err = json.Unmarshal(data, &now)
	}
	if err != nil || now["n"] < acknowledged {
		x.t.Errorf("cut %d: %s has %.60q, %v, acknowledged was %d", x.cuts,
			filepath.Base(p.File), data, err, acknowledged)
	}
}
