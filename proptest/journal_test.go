// Processes that append to one journal and are killed.

package proptest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/journal"
)

// journalTask is the task of the job "journal": append records until the process is killed.
type journalTask struct {
	File string
	Name string // differs from that of all others, those that were killed too
}

// entry is a record of the job, and what it prints when that is acknowledged.
type entry struct {
	Name string
	N    int
	Seq  uint64 `json:",omitempty"` // of what is printed
	Pad  string `json:",omitempty"`
}

// rotatedAt is the size of a segment.
const rotatedAt = 100_000

func appendToJournal(encoded []byte) error {
	var task journalTask
	if err := json.Unmarshal(encoded, &task); err != nil {
		return err
	}
	j, err := journal.Open(task.File, &journal.Options{MaxBytes: rotatedAt,
		OnRepair: func(journal.Repair) {}})
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		// Some records are larger than a page: a kill can end a write of more than one.
		pad := strings.Repeat("x", n%7*10)
		if n%50 == 0 {
			pad = strings.Repeat("x", 20_000)
		}
		value, err := json.Marshal(entry{Name: task.Name, N: n, Pad: pad})
		if err != nil {
			return err
		}
		seq, err := j.Append(context.Background(), value)
		if err != nil {
			return err
		}
		// One system call writes the line, so that a kill leaves a whole line or none.
		line, err := json.Marshal(entry{Name: task.Name, N: n, Seq: seq})
		if err == nil {
			_, err = os.Stdout.Write(append(line, '\n'))
		}
		if err != nil {
			return err
		}
	}
}

// TestJournalStorm: 8 processes append to one journal, for the time JSONSTORE_JOURNAL,
// are killed at random moments and started again. It is in the directory
// JSONSTORE_JOURNAL_DIR, by default a temporary one. Every acknowledged record is in the
// journal once, at its number and in the order of its process; numbers have no gap; no
// line is torn, not in the live file either while it is written.
func TestJournalStorm(t *testing.T) {
	const writers = 8
	last := 1500 * time.Millisecond
	if text, ok := os.LookupEnv("JSONSTORE_JOURNAL"); ok {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("JSONSTORE_JOURNAL: %v", err)
		}
	}
	dir, err := os.MkdirTemp(os.Getenv("JSONSTORE_JOURNAL_DIR"), "journal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &journalStorm{t: t, file: filepath.Join(dir, "audit.jsonl"),
		acknowledged: map[uint64]entry{}, end: time.Now().Add(last)}
	seed := uint64(time.Now().UnixNano())
	stop := s.watch()
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() { s.writer(i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	all.Wait()
	looks := stop()
	found := s.judge()
	segments, _ := filepath.Glob(filepath.Join(dir, "audit.jsonl.*"))
	torn, _ := filepath.Glob(filepath.Join(dir, ".audit.jsonl.*.torn"))
	t.Logf(
		"%d processes, %.0f s, %d kills, %d records acknowledged, %d found, %d wrong; %d segments, "+
			"%d torn tails moved aside, %d looks at the live file; seed %d",
		writers,
		last.Seconds(),
		s.kills,
		len(s.acknowledged),
		found,
		s.wrong,
		len(segments),
		len(torn),
		looks,
		seed,
	)
	if s.kills == 0 || len(s.acknowledged) == 0 {
		t.Error("nobody was killed, or nothing acknowledged")
	}
}

type journalStorm struct {
	t    *testing.T
	file string
	end  time.Time

	mu           sync.Mutex
	kills, wrong int
	acknowledged map[uint64]entry
}

// writer starts a process, kills it, and starts the next one.
func (s *journalStorm) writer(i int, random *rand.Rand) {
	for life := 0; time.Now().Before(s.end); life++ {
		name := fmt.Sprintf("w%d.%d", i, life)
		p, err := launch("journal", journalTask{s.file, name})
		if err != nil {
			s.t.Error(err)
			return
		}
		kill := time.AfterFunc(time.Duration(random.IntN(400))*time.Millisecond, func() {
			_ = p.cmd.Process.Kill()
		})
		p.lines(func(line string) {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Seq == 0 {
				s.t.Errorf("a process printed %q", line)
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if other, ok := s.acknowledged[e.Seq]; ok {
				s.wrong++
				s.t.Errorf("%d was acknowledged to %s and to %s", e.Seq, other.Name, e.Name)
			}
			s.acknowledged[e.Seq] = e
		})
		_ = p.cmd.Wait()
		if kill.Stop() {
			s.t.Errorf("%s ended by itself: %s", name, p.errs.String())
		}
		s.mu.Lock()
		s.kills++
		s.mu.Unlock()
	}
}

// watch follows the journal, and reads the live file like a program that knows nothing of
// the package. Stop returns how often it did that.
func (s *journalStorm) watch() (stop func() (looks int)) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		j, err := journal.Open(s.file, nil)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer j.Close()
		n := uint64(0)
		for r, err := range j.Follow(ctx, 1) {
			if ctx.Err() != nil {
				return
			}
			if n++; err != nil || r.Seq != n {
				s.t.Errorf("a follower got %d after %d: %v", r.Seq, n-1, err)
				return
			}
		}
	})
	looks := 0
	all.Go(func() {
		for ; ctx.Err() == nil; looks++ {
			data, err := os.ReadFile(s.file)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				s.t.Error(err)
				return
			}
			whole := data[:bytes.LastIndexByte(data, '\n')+1]
			for line := range bytes.Lines(whole) {
				if !json.Valid(line) {
					s.t.Errorf("the live file has a line %.200q", line)
					return
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	return func() int {
		cancel()
		all.Wait()
		return looks
	}
}

// judge compares the journal with what was acknowledged, and returns the number of its
// records.
func (s *journalStorm) judge() (found int) {
	s.t.Helper()
	j, err := journal.Open(s.file, &journal.Options{OnRepair: func(journal.Repair) {}})
	if err == nil {
		defer j.Close()
		_, err = j.Append(context.Background(), []byte(`{"Name":"next","N":1}`)) // repairs
	}
	if err != nil {
		s.t.Fatal(err)
	}
	complain := func(format string, args ...any) {
		s.wrong++
		if s.wrong < 10 {
			s.t.Errorf(format, args...)
		}
	}
	last, missing := map[string]int{}, len(s.acknowledged)
	for r, err := range j.Records(context.Background(), 1) {
		found++
		if err != nil {
			complain("%v", err)
			continue
		}
		var e entry
		if err := json.Unmarshal(r.Value, &e); err != nil {
			complain("record %d: %v", r.Seq, err)
			continue
		}
		if r.Seq != uint64(found) {
			complain("record %d is number %d", r.Seq, found)
		}
		if e.N != last[e.Name]+1 {
			complain("record %d is %s's %d, after its %d", r.Seq, e.Name, e.N, last[e.Name])
		}
		last[e.Name] = e.N
		if want, ok := s.acknowledged[r.Seq]; ok {
			missing--
			if want.Name != e.Name || want.N != e.N {
				complain("%d was acknowledged to %s as its %d, and is %s's %d", r.Seq, want.Name,
					want.N, e.Name, e.N)
			}
		}
	}
	if missing != 0 {
		complain("%d acknowledged records are missing", missing)
	}
	return found
}
