// Histories: the operations of clients on documents, with times and results; and the check that
// they are linearizable: there is one order of all operations, each at a moment between its
// call and its return, in which a plain variable gives the same results.

package proptest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The check of a larger history may not end.
const (
	maxClients    = 8
	maxOperations = 10_000
	checkTime     = 2 * time.Minute
)

// record is one operation. Contents are texts; an absent document is an empty one.
//
// Every write but a blind delete is a compare-and-swap here: create swaps from absent,
// compare-and-delete to absent. An update is several records, as the store defines it: for each
// run of its function a read, which ended at the call of the function, and a swap, which began
// at its return.
type record struct {
	Client int
	Number int // the number of the operation among the client's
	Doc    string
	Kind   kind
	Call   int64
	Return int64

	Expected string // the content that a swap expects
	New      string // the content that a swap writes
	Found    string // the content that a read found
	Outcome  outcome
	Version  string // the token that was returned, if any
	Have     string // the token in the error of a conflict

	HaveContent string // the content of Have
	HaveKnown   bool
}

type kind string

const (
	readKind   kind = "read"
	swapKind   kind = "swap"
	deleteKind kind = "delete"
	endKind    kind = "end" // of the history; the check adds it
)

type outcome string

const (
	done     outcome = "done"
	conflict outcome = "conflict"
	absent   outcome = "absent" // of a delete: the document was absent
	// nothing: an error other than a conflict. It promises that the write was not applied, so
	// the record is left out: a reader that sees the write all the same has seen a content from
	// nowhere.
	nothing outcome = "nothing"
	// pending: the process was killed. It may have happened, at any time until the end.
	pending outcome = "pending"
)

// history is a history as it is saved when the check fails.
type history struct {
	Name    string
	Records []record
}

// variable is the model of a document.
type variable struct {
	content string
	ended   bool // every operation that returned has been put in its place
}

// step reports whether the variable gives the result of the record, and returns its next state.
func (v variable) step(r *record) (bool, variable) {
	if r.Outcome == pending {
		// An operation that did not happen goes to the end, where it changes nothing.
		switch {
		case v.ended:
			return true, v
		case r.Kind == swapKind && v.content == r.Expected:
			return true, variable{content: r.New}
		case r.Kind == deleteKind && v.content != "":
			return true, variable{}
		}
		return false, v
	}
	switch {
	case r.Kind == endKind:
		return true, variable{v.content, true}
	case r.Kind == readKind:
		return v.content == r.Found, v
	case r.Kind == swapKind && r.Outcome == done:
		return v.content == r.Expected, variable{content: r.New}
	case r.Kind == swapKind && r.Outcome == conflict:
		// The version must really be another one, and the one that the error names.
		return v.content != r.Expected && (!r.HaveKnown || v.content == r.HaveContent), v
	case r.Kind == deleteKind && r.Outcome == done:
		return v.content != "", variable{}
	case r.Kind == deleteKind && r.Outcome == absent:
		return v.content == "", v
	}
	return false, v
}

var documentModel = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byDoc := map[string][]porcupine.Operation{}
		for _, o := range all {
			doc := o.Input.(*record).Doc
			byDoc[doc] = append(byDoc[doc], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byDoc {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return variable{} },
	Step: func(state, input, _ any) (bool, any) { return state.(variable).step(input.(*record)) },
	DescribeOperation: func(input, _ any) string {
		r := input.(*record)
		switch r.Kind {
		case readKind:
			return fmt.Sprintf("read %q", r.Found)
		case swapKind:
			return fmt.Sprintf("swap %q to %q: %s %s", r.Expected, r.New, r.Outcome, r.HaveContent)
		}
		return fmt.Sprintf("%s: %s", r.Kind, r.Outcome)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%q", state.(variable).content) },
}

// resolve finds out what the versions that conflicts met stand for, and that none ever stood
// for two contents.
func (h *history) resolve() error {
	type token struct{ doc, version string }
	means := map[token]string{}
	for _, r := range h.Records {
		content := r.Found
		if r.Kind != readKind {
			content = r.New
		}
		if r.Version == "" {
			continue
		}
		if (r.Version == "-") != (content == "") {
			return fmt.Errorf("the version %s stands for %q", r.Version, content)
		}
		key := token{r.Doc, r.Version}
		if was, known := means[key]; known && was != content {
			return fmt.Errorf("the version %s of %s stands for %q and for %q", r.Version, r.Doc,
				was, content)
		}
		means[key] = content
	}
	for i := range h.Records {
		if r := &h.Records[i]; r.Outcome == conflict && r.Have != "" {
			r.HaveContent, r.HaveKnown = means[token{r.Doc, r.Have}]
			r.HaveKnown = r.HaveKnown || r.Have == "-"
		}
	}
	return nil
}

// check decides, and returns what shows why.
func (h *history) check() (porcupine.CheckResult, porcupine.LinearizationInfo, error) {
	var none porcupine.LinearizationInfo
	if err := h.resolve(); err != nil {
		return porcupine.Illegal, none, err
	}
	end := int64(0)
	docs, clients := map[string]bool{}, map[int]bool{}
	for _, r := range h.Records {
		end = max(end, r.Call+1, r.Return+1)
		docs[r.Doc], clients[r.Client] = true, true
	}
	var all []porcupine.Operation
	for i := range h.Records {
		r := &h.Records[i]
		o := porcupine.Operation{ClientId: r.Client, Input: r, Call: r.Call, Return: r.Return}
		switch {
		case r.Outcome == nothing, r.Kind == readKind && r.Outcome == pending:
			continue
		case r.Outcome == pending:
			o.Return = end + 1
		}
		all = append(all, o)
	}
	if len(clients) > maxClients || len(all) > maxOperations {
		return porcupine.Unknown, none, fmt.Errorf("%d clients and %d operations are too many to "+
			"check", len(clients), len(all))
	}
	for doc := range docs {
		last := &record{Doc: doc, Kind: endKind, Outcome: done}
		all = append(all,
			porcupine.Operation{ClientId: maxClients, Input: last, Call: end, Return: end})
	}
	result, info := porcupine.CheckOperationsVerbose(documentModel, all, checkTime)
	return result, info, nil
}

// mustBeLinear fails the test unless the check says that all is well: not to have been able to
// tell is a failure too.
func (h *history) mustBeLinear(t *testing.T) {
	t.Helper()
	result, info, err := h.check()
	if err == nil && result == porcupine.Ok {
		return
	}
	keepHistory(t, h, h.Name, "linearizable", documentModel, result, info, err)
}

// keepHistory fails the test, and leaves files to look into.
func keepHistory(t *testing.T, h any, name, what string, model porcupine.Model,
	result porcupine.CheckResult, info porcupine.LinearizationInfo, err error) {
	t.Helper()
	dir := os.Getenv("JSONSTORE_TRACES")
	if dir == "" {
		dir, _ = os.MkdirTemp("", "jsonstore-history-") // on an error the write below says more
	}
	file := filepath.Join(dir, strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\: `, r) {
			return '-'
		}
		return r
	}, t.Name())+fmt.Sprintf("-%d", time.Now().UnixNano()))
	data, encodeErr := json.MarshalIndent(h, "", "  ")
	if encodeErr == nil {
		encodeErr = os.WriteFile(file+".json", data, 0o600)
	}
	if encodeErr != nil {
		t.Errorf("the history could not be kept: %v", encodeErr)
	}
	if err == nil {
		if drawErr := porcupine.VisualizePath(model, info, file+".html"); drawErr != nil {
			t.Errorf("the history could not be drawn: %v", drawErr)
		}
	}
	t.Errorf("%s: not %s: %s %v\nit is drawn in %s.html; check it again with\n"+
		"JSONSTORE_HISTORY=%s.json go test -run TestHistoryFile ./proptest", name, what, result, err,
		file, file)
}

// TestHistoryFile checks a history that an earlier test left.
func TestHistoryFile(t *testing.T) {
	file := os.Getenv("JSONSTORE_HISTORY")
	if file == "" {
		t.Skip("JSONSTORE_HISTORY does not name a file")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), `"Reads":`) {
		var h txHistory
		if err := json.Unmarshal(data, &h); err != nil {
			t.Fatal(err)
		}
		h.mustBeSerial(t)
		return
	}
	var h history
	if err := json.Unmarshal(data, &h); err != nil {
		t.Fatal(err)
	}
	h.mustBeLinear(t)
}
