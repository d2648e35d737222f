// Histories of transactions: operations on several documents at once, with times and results; and
// the check that they are strictly serializable: there is one order of all operations, each at a
// moment between its call and its return, in which plain variables give the same results.

package proptest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
)

// txDocs are the documents of a history. Two of them are in another directory than the third.
var txDocs = []string{"one", "dir/two", "dir/three"}

// contents has a text for each of some documents, by name. That of an absent one is empty.
type contents map[string]string

// txRecord is one operation: a transaction, a view, or an operation on one document. What it read
// are the contents that it found, or that it expected and was told to have found.
type txRecord struct {
	Client int
	Number int // the number of the operation among the client's
	What   string
	Call   int64
	Return int64

	Reads   contents
	Writes  contents
	Unlike  contents // it was told that these are not the contents
	Exists  string   // it was told that this document exists, or is pending and needs that
	Outcome outcome
	// The tokens that were returned, and the contents for which they stand.
	Versions map[string]string
	Stand    contents
}

func (r *txRecord) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s:", r.What, r.Outcome)
	list := func(what string, all contents) {
		for _, doc := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, " %s %s=%q", what, doc, all[doc])
		}
	}
	list("read", r.Reads)
	list("wrote", r.Writes)
	list("not", r.Unlike)
	if r.Exists != "" {
		b.WriteString(" there is " + r.Exists)
	}
	return b.String()
}

// variables is the model: all documents.
type variables struct {
	content [3]string
	ended   bool // every operation that returned has been put in its place
}

// step reports whether the variables give the result of the record, and returns their next state.
func (v variables) step(r *txRecord) (bool, variables) {
	switch {
	case r.Outcome == pending && v.ended:
		return true, v // it did not happen: there it changes nothing
	case r.What == endOfHistory:
		v.ended = true
		return true, v
	}
	for i, doc := range txDocs {
		if want, told := r.Reads[doc]; told && v.content[i] != want {
			return false, v
		}
		if other, told := r.Unlike[doc]; told && v.content[i] == other {
			return false, v
		}
		if r.Exists == doc && v.content[i] == "" {
			return false, v
		}
	}
	for i, doc := range txDocs {
		if content, wrote := r.Writes[doc]; wrote {
			v.content[i] = content
		}
	}
	return true, v
}

const endOfHistory = "the end"

var txModel = porcupine.Model{
	Init: func() any { return variables{} },
	Step: func(state, input, _ any) (bool, any) {
		return state.(variables).step(input.(*txRecord))
	},
	DescribeOperation: func(input, _ any) string { return input.(*txRecord).String() },
	DescribeState: func(state any) string {
		return fmt.Sprintf("%q", state.(variables).content)
	},
}

// txHistory is a history as it is saved when the check fails.
type txHistory struct {
	Name    string
	Records []txRecord
}

// resolve finds a version that stood for two contents.
func (h *txHistory) resolve() error {
	type token struct{ doc, version string }
	means := map[token]string{}
	for _, r := range h.Records {
		for doc, version := range r.Versions {
			content := r.Stand[doc]
			if (version == "-") != (content == "") {
				return fmt.Errorf("the version %s of %s stands for %q", version, doc, content)
			}
			key := token{doc, version}
			if was, known := means[key]; known && was != content {
				return fmt.Errorf("the version %s of %s stands for %q and for %q", version, doc,
					was, content)
			}
			means[key] = content
		}
	}
	return nil
}

// check decides, and returns what shows why.
func (h *txHistory) check() (porcupine.CheckResult, porcupine.LinearizationInfo, error) {
	var none porcupine.LinearizationInfo
	if err := h.resolve(); err != nil {
		return porcupine.Illegal, none, err
	}
	end := int64(0)
	clients := map[int]bool{}
	for _, r := range h.Records {
		end = max(end, r.Call+1, r.Return+1)
		clients[r.Client] = true
	}
	var all []porcupine.Operation
	for i := range h.Records {
		r := &h.Records[i]
		o := porcupine.Operation{ClientId: r.Client, Input: r, Call: r.Call, Return: r.Return}
		switch {
		case r.Outcome == nothing, len(r.Writes) == 0 && r.Outcome == pending:
			continue
		case r.Outcome == pending:
			o.Return = end + 1
		}
		all = append(all, o)
	}
	// The auditor, who reads at the end, is one client more.
	if len(clients) > maxClients+1 || len(all) > maxOperations {
		return porcupine.Unknown, none, fmt.Errorf("%d clients and %d operations are too many to "+
			"check", len(clients), len(all))
	}
	last := &txRecord{What: endOfHistory, Outcome: done}
	all = append(all, porcupine.Operation{ClientId: maxClients + 1, Input: last, Call: end,
		Return: end})
	result, info := porcupine.CheckOperationsVerbose(txModel, all, checkTime)
	return result, info, nil
}

func (h *txHistory) mustBeSerial(t *testing.T) {
	t.Helper()
	result, info, err := h.check()
	if err != nil || result != porcupine.Ok {
		keepHistory(t, h, h.Name, "strictly serializable", txModel, result, info, err)
	}
}

// log prints what the history has: one without conflicts, or without kills, proves little.
func (h *txHistory) log(t *testing.T) {
	count := map[string]int{}
	for _, r := range h.Records {
		count[r.What+" "+string(r.Outcome)]++
	}
	t.Logf("%d operations: %v", len(h.Records), count)
}

// TestTxHistoryModel: histories made by hand.
func TestTxHistoryModel(t *testing.T) {
	at := int64(0)
	one, two := txDocs[0], txDocs[1]
	op := func(client int, o outcome, reads, writes contents) txRecord {
		at += 10
		return txRecord{Client: client, Number: int(at), What: "op", Call: at, Return: at + 5,
			Reads: reads, Writes: writes, Outcome: o}
	}
	both := func(a, b string) contents { return contents{one: a, two: b} }
	long := func(r txRecord, until int64) txRecord {
		r.Return = until
		return r
	}
	created := op(0, done, both("", ""), both("1", "1"))
	moved := op(0, done, both("1", "1"), both("0", "2"))
	for _, test := range []struct {
		name    string
		result  porcupine.CheckResult
		records []txRecord
	}{
		{"all of it is seen", porcupine.Ok, []txRecord{created, moved,
			op(1, done, both("0", "2"), nil)}},
		{"half of it is seen", porcupine.Illegal, []txRecord{created,
			long(op(0, done, both("1", "1"), both("0", "2")), at+50),
			op(1, done, both("0", "1"), nil)}},
		{"half of one that was killed is seen", porcupine.Illegal, []txRecord{created,
			op(0, pending, both("1", "1"), both("0", "2")), op(1, done, both("0", "1"), nil)}},
		{"one that was killed happened late", porcupine.Ok, []txRecord{created,
			op(0, pending, both("1", "1"), both("0", "2")), op(1, done, both("1", "1"), nil),
			op(1, done, both("0", "2"), nil)}},
		{"one that was killed was undone", porcupine.Illegal, []txRecord{created,
			op(0, pending, both("1", "1"), both("0", "2")), op(1, done, both("0", "2"), nil),
			op(1, done, both("1", "1"), nil)}},
		{"one whose context ended happened", porcupine.Illegal, []txRecord{created,
			op(0, nothing, both("1", "1"), both("0", "2")), op(1, done, both("0", "2"), nil)}},
		{"an older state is seen", porcupine.Illegal, []txRecord{created, moved,
			op(1, done, both("1", "1"), nil)}},
		{"single reads see one and then the other", porcupine.Illegal, []txRecord{created,
			long(op(0, done, both("1", "1"), both("0", "2")), at+100),
			op(1, done, contents{one: "0"}, nil), op(1, done, contents{two: "1"}, nil)}},
		{"a lost update", porcupine.Illegal, []txRecord{created,
			long(op(0, done, contents{one: "1"}, contents{one: "2"}), at+100),
			op(1, done, contents{one: "1"}, contents{one: "3"})}},
		{"write skew", porcupine.Illegal, []txRecord{created,
			long(op(0, done, both("1", "1"), contents{one: "0"}), at+100),
			op(1, done, both("1", "1"), contents{two: "0"})}},
		{"a conflict with nothing", porcupine.Illegal, []txRecord{created,
			{Client: 1, What: "swap", Unlike: contents{one: "1"}, Outcome: done, Call: at + 10,
				Return: at + 11}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &txHistory{Records: test.records}
			if result, _, err := h.check(); result != test.result || err != nil {
				t.Errorf("%s, %v; want %s", result, err, test.result)
			}
		})
	}
	ambiguous := op(1, done, both("0", "2"), nil)
	moved.Versions, moved.Stand = map[string]string{one: "h:1"}, contents{one: "0"}
	ambiguous.Versions, ambiguous.Stand = map[string]string{one: "h:1"}, contents{one: "1"}
	h := &txHistory{Records: []txRecord{created, moved, ambiguous}}
	if result, _, err := h.check(); result != porcupine.Illegal || err == nil {
		t.Errorf("one version for two contents: %s, %v", result, err)
	}
}

// TestBrokenTransactions: the check finds processes whose transactions are a document after
// another.
func TestBrokenTransactions(t *testing.T) {
	if _, shared := sharedClock(); !shared {
		t.Skip("processes are not known to share a clock here")
	}
	const enough = 20
	for i := range enough {
		h := recordTransactions(t, 40, txPart{InParts: true})
		if result, _, err := h.check(); result == porcupine.Illegal && err == nil {
			t.Logf("history %d is illegal", i)
			return
		}
	}
	t.Errorf("%d histories of transactions in parts, and none was found illegal", enough)
}
