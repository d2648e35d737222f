// Scenes: a document, writers of ours, foreign programs and readers, and the result.
// foreign_test.go plays them.

package proptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

// scene is a document and its writers.
type scene struct {
	// bytes in the document: a verification takes longer the larger it is
	pad     int
	options []store.Options                  // the options of each writer of ours
	foreign []foreignTask                    // programs of this test
	script  func(file, log string) *exec.Cmd // a program of the system, which logs what it finds
	torn    bool                             // torn documents are no failure
}

// scened is the result of a scene.
type scened struct {
	chain
	last      link
	looks     []link // the versions that the script found
	tornReads int
	log       string
}

// play runs the scene until the foreign programs have finished.
func (s *scene) play(t *testing.T) *scened {
	t.Helper()
	dir := t.TempDir()
	file, stop, log := filepath.Join(dir, "doc.json"), filepath.Join(dir,
		"stop"), filepath.Join(dir, "log")
	if err := os.WriteFile(file, link{ID: firstID, Pad: s.pad}.encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	var foreign, ours []*process
	for _, task := range s.foreign {
		task.File = file
		foreign = append(foreign, startJob(t, "foreign", task))
	}
	for i, opts := range s.options {
		ours = append(ours,
			startJob(t, "chain", chainTask{file, stop, fmt.Sprintf("w%d", i), opts}))
	}
	end := watchChain(t, file)
	startTogether(t, append(ours, foreign...))
	result := &scened{log: log}
	var adding sync.Mutex
	var foreignAll, oursAll sync.WaitGroup
	listen := func(all *sync.WaitGroup, p *process) {
		all.Go(func() {
			p.lines(func(line string) {
				var one told
				if err := json.Unmarshal([]byte(line), &one); err != nil {
					t.Errorf("a writer told %q: %v", line, err)
					return
				}
				adding.Lock()
				defer adding.Unlock()
				result.add(one)
			})
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("a writer: %v: %s", err, p.errs.String())
			}
		})
	}
	for _, p := range foreign {
		listen(&foreignAll, p)
	}
	for _, p := range ours {
		listen(&oursAll, p)
	}
	if s.script != nil {
		foreignAll.Go(func() {
			if out, err := s.script(file, log).CombinedOutput(); err != nil {
				t.Errorf("the script: %v: %s", err, out)
			}
		})
	}
	foreignAll.Wait()
	if err := os.WriteFile(stop, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	oursAll.Wait()
	result.tornReads = end()
	if result.tornReads > 0 && !s.torn {
		t.Errorf("readers saw %d torn documents", result.tornReads)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if result.last, err = parseLink(data); err != nil && !s.torn {
		t.Errorf("the last version: %v", err)
	}
	if s.script != nil {
		result.looks = looksIn(t, log, s.torn)
	}
	if litter, _ := filepath.Glob(filepath.Join(dir, ".*.tmp")); len(litter) > 0 {
		t.Errorf("litter: %q", litter)
	}
	return result
}

// watchChain reads the document, by the store and without it in turn, until end is called. End
// returns the number of torn reads.
func watchChain(t *testing.T, file string) (end func() (torn int)) {
	doc, err := store.OpenFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	stop := make(chan struct{})
	torn := 0
	reader.Go(func() {
		defer doc.Close()
		for ours := false; ; ours = !ours {
			select {
			case <-stop:
				return
			default:
			}
			var data []byte
			var err error
			if ours {
				data, _, err = doc.Read(t.Context())
			} else {
				data, err = os.ReadFile(file)
			}
			switch _, parseErr := parseLink(data); {
			case err != nil && !errors.Is(err, store.ErrInvalid):
				t.Errorf("a reader: %v", err)
				return
			case parseErr != nil || err != nil:
				torn++
			}
		}
	})
	return func() int {
		close(stop)
		reader.Wait()
		return torn
	}
}

// looksIn reads the log of a script, which has a version in each line.
func looksIn(t *testing.T, log string, torn bool) (looks []link) {
	t.Helper()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		found, err := parseLink([]byte(line))
		if err != nil && !torn {
			t.Errorf("the script found %q: %v", line, err)
		}
		looks = append(looks, found)
	}
	return looks
}

// judge checks a scene with one foreign program. Its versions are safe only with the guard or
// the lock.
func (got *scened) judge(t *testing.T, safe bool) {
	t.Helper()
	for _, text := range got.oursOnOurs() {
		t.Error(text)
	}
	lost, withdrawn := got.foreignLost(append(got.found(), got.last))
	if safe {
		for _, text := range lost {
			t.Error("lost: ", text)
		}
	}
	t.Logf("%d foreign versions, %d of ours, %d found being withdrawn, %d lost",
		len(got.found()), len(got.ours), withdrawn, len(lost))
}

// found returns the versions that the only foreign program found before each of its own.
func (got *scened) found() []link {
	all := slices.Clone(got.looks)
	for _, t := range got.foreign {
		all = append(all, t.On)
	}
	return all
}

// mustAccount expects each version to be displaced once, by a writer that had seen it, and none
// to be withdrawn.
func (got *scened) mustAccount(t *testing.T) {
	t.Helper()
	wrong, withdrawn := got.account(got.last.ID)
	for _, text := range wrong {
		t.Error(text)
	}
	if withdrawn > 0 {
		t.Errorf("%d versions were found that nobody put in place", withdrawn)
	}
	t.Logf("%d foreign versions, %d of ours, %d lost", len(got.foreign), len(got.ours), len(wrong))
}

func need(t *testing.T, gnu bool, programs ...string) {
	t.Helper()
	if gnu && runtime.GOOS != "linux" {
		t.Skip("the options of these programs differ between systems")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
}

// loop returns a script that runs the body for each k, and logs the version that it finds before.
func loop(times int, body string) func(file, log string) *exec.Cmd {
	const script = `k=0
while [ $k -lt $1 ]; do k=$((k+1))
cat "$2" >> "$3" && echo >> "$3" && %s || exit 1
done`
	return func(file, log string) *exec.Cmd {
		return exec.Command("sh", "-c", fmt.Sprintf(script, body), "sh", fmt.Sprint(times), file,
			log)
	}
}
