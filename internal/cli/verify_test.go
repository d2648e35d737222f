// The report about a directory that is not fit.

package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/verify"
)

func unfit() *verify.Report {
	facts := verify.Facts{
		Dir: "state", System: "linux", FileSystem: "nfs", Network: "nfs", NoReplace: "native",
	}
	return &verify.Report{
		Dir: "state", Processes: 8, Facts: facts, Findings: verify.Judge(facts, false),
		Checks: []verify.Check{{
			Name: "no lost update", Mode: "hash", Sync: "durable",
			State: verify.Bad, Text: "updates were lost",
		}},
	}
}

func TestUnfit(t *testing.T) {
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr}
	a.fail("state", a.showReport(unfit()))
	for _, want := range []string{
		"BAD   file system         nfs, not known to be local",
		"use a local directory, or --allow-network",
		"BAD   locks ", "\nnote  exchange ",
		"BAD   no lost update      hash, durable:     updates were lost\n",
		"state is NOT fit for documents: see the lines marked BAD\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not in:\n%s", want, stdout.String())
		}
	}
	if a.code != exitNo || stderr.Len() > 0 {
		t.Errorf("exit code %d, want %d; messages: %s", a.code, exitNo, stderr.String())
	}
	for _, line := range strings.Split(stdout.String(), "\n") {
		if len(line) > 110 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}

func TestUnfitJSON(t *testing.T) {
	var stdout bytes.Buffer
	a := &app{stdout: &stdout}
	a.flags.json = true
	if err := a.showReport(unfit()); exitCode(err) != exitNo {
		t.Errorf("got %v, want the answer no", err)
	}
	var got verify.Report
	err := json.Unmarshal(stdout.Bytes(), &got)
	if err != nil || got.Fit || got.Checks[0].State != verify.Bad {
		t.Errorf("%v: %s", err, stdout.String())
	}
}

func TestProgress(t *testing.T) {
	var stderr bytes.Buffer
	a := &app{stderr: &stderr}
	tell, done := a.progress(30 * time.Second)
	tell(2*time.Second, "locks exclude")
	done()
	if got, want := stderr.String(), "jsonstore:  2 of 30 s: locks exclude\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	a.flags.quiet = true
	if tell, _ := a.progress(time.Second); tell != nil {
		t.Error("there is progress in spite of --quiet")
	}
}
