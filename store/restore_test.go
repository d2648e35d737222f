package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

// fileState is a file as it is found.
type fileState struct {
	content string
	ino     uint64
	mtime   int64
}

// dirState is what the directory of a document has, without lock files.
func dirState(t *testing.T, path string) map[string]fileState {
	t.Helper()
	state := map[string]fileState{}
	for _, name := range listOf(t, path) {
		at := filepath.Join(filepath.Dir(path), name)
		info, err := fsys.New().Lstat(at)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(at)
		if !names.IsLock(at) {
			state[name] = fileState{string(data), info.Ino, info.Mtime}
		}
	}
	return state
}

// agedBy sets the time of a file to so many seconds ago.
func agedBy(t *testing.T, path string, seconds int) {
	t.Helper()
	then := time.Now().Add(-time.Duration(seconds) * time.Second)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}

// recoveryCase is a document, what is beside it, and what becomes of that.
type recoveryCase struct {
	content string
	beside  func(path string) beside
	from    string
	want    string // empty if nothing is recovered
	kind    CandidateKind
	reason  string
	err     error
}

// beside are contents by name; a digit at the beginning is the age.
type beside map[string]string

const gone = "\x00gone"

// TestRecover breaks a document in each way, and recovers it from what is beside it. All
// that was there is there afterwards, the broken document under another name.
func TestRecover(t *testing.T) {
	needsPaths(t)
	const good, newer, defaults = "{\"n\": 1}\n", "{\"n\": 2}\n", `{}`
	guarded := func(path string) string {
		return names.Guarded(path, guardedName{contentDigits([]byte(good)),
			contentDigits([]byte("1")), guardedNumber(7)}.String())
	}
	for name, c := range map[string]recoveryCase{
		"truncated": {content: good[:4], beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, want: good, kind: CandidateKept, reason: names.Invalid},
		"emptied": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, want: good, kind: CandidateKept, reason: names.Invalid},
		"white space": {content: " \n", beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, want: good, kind: CandidateKept, reason: names.Invalid},
		"zeros": {content: strings.Repeat("\x00", 9), beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, want: good, kind: CandidateKept, reason: names.Invalid},
		"deleted": {content: gone, beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, want: good, kind: CandidateKept},
		"deleted, and one staged": {content: gone, beside: func(p string) beside {
			return beside{names.Place(p, 0): good}
		}, want: good, kind: CandidateStaged},
		"defaults": {content: defaults, beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}},
		"defaults, and so it is said": {content: defaults, beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, from: "kept", want: good, kind: CandidateKept, reason: names.Replaced},
		"a copy that is named": {content: good[:4], beside: func(p string) beside {
			return beside{names.Kept(p): good, p + ".bak": newer}
		}, from: "doc.json.bak", want: newer, kind: CandidateFile, reason: names.Invalid},
		"a staged version, which is newer": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): "9" + good, names.Place(p, 3): "1" + newer}
		}, want: newer, kind: CandidateStaged, reason: names.Invalid},
		"a staged version, which is older": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): "1" + newer, names.Random(p, 3): "9" + good}
		}, want: newer, kind: CandidateKept, reason: names.Invalid},
		"a staged version, which is torn": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): "9" + good, names.Place(p, 3): "1" + newer[:5]}
		}, want: good, kind: CandidateKept, reason: names.Invalid},
		"a staged number, which may be torn": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): "9" + good, names.Place(p, 3): "112"}
		}, want: good, kind: CandidateKept, reason: names.Invalid},
		"a staged version that is asked for": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): "1" + good, names.Place(p, 3): "9" + newer}
		}, from: "staged", want: newer, kind: CandidateStaged, reason: names.Invalid},
		"what a transaction staged": {content: "", beside: func(p string) beside {
			return beside{names.Transaction(p, strings.Repeat("0", 32)): good}
		}, want: good, kind: CandidateStaged, reason: names.Invalid},
		"what a guard displaced": {content: "[", beside: func(p string) beside {
			return beside{guarded(p): good}
		}, want: good, kind: CandidateGuarded, reason: names.Invalid},
		"another document's": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p + "x"): good, names.Place(filepath.Join(filepath.Dir(p),
				"other.json"), 0): good}
		}, err: ErrInvalid},
		"nothing, invalid": {content: "[", beside: func(string) beside { return nil }, err: ErrInvalid},
		"nothing, empty":   {content: "", beside: func(string) beside { return nil }, err: ErrInvalid},
		"nothing, absent":  {content: gone, beside: func(string) beside { return nil }, err: ErrNotExist},
		"nothing of the kind": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, from: "guarded", err: ErrInvalid},
		"nothing of the kind, valid": {content: "1", beside: func(string) beside { return nil },
			from: "kept", err: ErrNotExist},
		"nothing that is valid": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): "[[", names.Place(p, 3): ""}
		}, err: ErrInvalid},
		"a copy that is not there": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, from: "nothing.json", err: ErrNotExist},
		"a copy that is torn": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): good, p + "~": "["}
		}, from: "doc.json~", err: ErrInvalid},
		"a copy elsewhere": {content: "", beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, from: filepath.Join("..", "doc.json"), err: ErrPath},
		"the document": {content: "1", beside: func(string) beside { return nil }, from: "doc.json",
			err: errors.New("is the document itself")},
		"the same content": {content: good, beside: func(p string) beside {
			return beside{names.Kept(p): good}
		}, from: "kept"},
	} {
		for _, opts := range []Options{{}, {Durability: Volatile, Versions: VersionMtime},
			{GuardForeign: true, KeepLast: true}} {
			for _, links := range []bool{true, false} {
				name := fmt.Sprintf("%s/%v/links=%v", name, opts.Durability, links)
				t.Run(name, func(t *testing.T) { c.run(t, opts, links) })
			}
		}
	}
}

// set makes the files of the case, and returns the path of the document.
func (c recoveryCase) set(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "doc.json")
	if c.content != gone {
		putText(t, path, c.content)
	}
	for name, content := range c.beside(path) {
		age := 0
		if len(content) > 2 && content[0] >= '1' && content[0] <= '9' {
			age, content = int(content[0]-'0'), content[1:]
		}
		putText(t, name, content)
		agedBy(t, name, age)
	}
	return path
}

func (c recoveryCase) run(t *testing.T, opts Options, links bool) {
	if opts.GuardForeign {
		needsExchange(t)
	}
	ctx := context.Background()
	path := c.set(t)
	doc := openFaulty(t, path, opts, func(op, name string) error {
		if op == "link" && !links {
			return errors.ErrUnsupported
		}
		return nil
	})
	before := dirState(t, path)
	dry, dryErr := doc.Recover(ctx, &RecoverOptions{DryRun: true, From: c.from})
	if after := dirState(t, path); !maps.Equal(after, before) {
		t.Errorf("a dry run made %v of %v", after, before)
	}
	r, err := doc.Recover(ctx, &RecoverOptions{From: c.from})
	if fmt.Sprint(err) != fmt.Sprint(dryErr) || (r.Taken == nil) != (dry.Taken == nil) {
		t.Errorf("the dry run said %v, %+v; then %v, %+v", dryErr, dry, err, r)
	}
	after := dirState(t, path)
	switch {
	case c.err != nil:
		if !errors.Is(err, c.err) && !strings.Contains(fmt.Sprint(err), c.err.Error()) {
			t.Errorf("%v, want %v", err, c.err)
		}
	case err != nil:
		t.Fatal(err)
	case c.want != "":
		if r.Taken == nil || r.Taken.Kind != c.kind {
			t.Fatalf("taken is %+v", r.Taken)
		}
		have(t, path, c.want)
		if _, version, err := doc.Read(ctx); err != nil || version != r.Version {
			t.Errorf("read: %v, %v; want %v", version, err, r.Version)
		}
		c.putBack(t, path, r, after)
	case r.Taken != nil:
		t.Errorf("taken is %+v", r.Taken)
	}
	if !maps.Equal(after, before) {
		t.Errorf("there are %v, and were %v", after, before)
	}
}

// putBack undoes a recovery in a state: all that was there is there then, and the new
// document is a file of its own.
func (c recoveryCase) putBack(
	t *testing.T, path string, r Recovered, after map[string]fileState,
) {
	is := after["doc.json"]
	delete(after, "doc.json")
	for name, file := range after {
		if file.ino == is.ino {
			t.Errorf("the document is the file %s", name)
		}
	}
	if c.content == gone {
		return
	}
	if !strings.HasPrefix(r.Aside, path+"."+c.reason+"-") {
		t.Errorf("moved aside to %s", r.Aside)
	}
	after["doc.json"] = after[filepath.Base(r.Aside)]
	delete(after, filepath.Base(r.Aside))
}

// TestRecoverAgain: what is moved aside gets a name of its own each time, which is no
// document's.
func TestRecoverAgain(t *testing.T) {
	ctx := context.Background()
	db, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(db.where, "a", "doc.json")
	doc := db.Doc("a/doc")
	if _, err := doc.Create(ctx, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	putText(t, names.Kept(path), "[1]")
	for i := range 5 {
		putText(t, path, strings.Repeat("[", i))
		r, err := doc.Recover(ctx, nil)
		if err != nil || filepath.Dir(r.Aside) != filepath.Dir(path) {
			t.Fatalf("%+v, %v", r, err)
		}
		have(t, r.Aside, strings.Repeat("[", i))
		have(t, path, "[1]")
		if document, ok := names.IsAside(filepath.Base(r.Aside)); !ok || document != "doc.json" ||
			!names.IsAsideOf("doc.json", filepath.Base(r.Aside)) {
			t.Errorf("%s is of %q, %v", r.Aside, document, ok)
		}
	}
	var keys []string
	for key, err := range db.Keys(ctx, "") {
		keys = append(keys, key)
		if err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(keys, []string{"a/doc"}) {
		t.Errorf("the keys are %q", keys)
	}
	info, err := doc.Inspect(ctx)
	if err != nil || len(info.Aside) != 5 || info.Kept == nil || info.Kept.Kind != CandidateKept ||
		info.Kept.Path != names.Kept(path) || info.Kept.Problem != nil || len(info.Left) > 0 {
		t.Errorf("%+v, %v", info, err)
	}
	if removed, left, err := doc.Sweep(ctx); err != nil || len(removed)+len(left) > 0 {
		t.Errorf("swept %q, left %q, %v", removed, left, err)
	}
	if len(listOf(t, path)) != 8 {
		t.Errorf("there are %q", listOf(t, path))
	}
}

// TestRecoverLongName: a name that leaves no room for suffixes has those of its hash.
func TestRecoverLongName(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), strings.Repeat("é", 120)+".json")
	doc, err := OpenFile(path, &Options{KeepLast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	for range 2 {
		if _, err := doc.Update(ctx, increment); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		putText(t, path, "[")
		if r, err := doc.Recover(ctx, nil); err != nil || r.Aside == "" {
			t.Fatalf("%+v, %v", r, err)
		}
		have(t, path, "1")
	}
	if info, err := doc.Inspect(ctx); err != nil || len(info.Aside) != 2 || info.Kept == nil {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestNothingIsSweptBesideABrokenDocument: it is what recover needs.
func TestNothingIsSweptBesideABrokenDocument(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "doc.json")
	staged := names.Place(path, 2)
	putText(t, path, "[1")
	putText(t, staged, "[1,2]")
	doc := open(t, path, Options{})
	removed, left, err := doc.Sweep(ctx)
	if err != nil || len(removed) > 0 || !slices.Equal(left, []string{filepath.Base(staged)}) {
		t.Errorf("swept %q, left %q, %v", removed, left, err)
	}
	_, version, err := doc.Read(ctx)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "Doc.Recover") {
		t.Errorf("read: %v", err)
	}
	if _, err := doc.CompareAndSwap(ctx, version, []byte("[")); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := doc.CompareAndSwap(ctx, version, []byte("[3]")); err != nil {
		t.Error(err)
	}
	have(t, staged, "[1,2]")
	putText(t, path, "[1")
	for _, mode := range []VersionMode{VersionMtime, VersionAuto} {
		_ = open(t, path, Options{Versions: mode})
		have(t, staged, "[1,2]")
	}
	putText(t, path, "[3]")
	if removed, left, err = doc.Sweep(ctx); err != nil || len(removed) != 1 || len(left) > 0 {
		t.Errorf("swept %q, left %q, %v", removed, left, err)
	}
}

// TestRecoverIsNotFromTheLiving: what a writer is about to publish is its own.
func TestRecoverIsNotFromTheLiving(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	putText(t, path, "")
	putText(t, names.Place(path, 0), "[2]")
	release := lockFile(t, names.Place(path, 0))
	doc := open(t, path, Options{})
	if r, err := doc.Recover(context.Background(), nil); !errors.Is(err, ErrInvalid) ||
		len(r.Candidates) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	_, err := doc.Recover(context.Background(), &RecoverOptions{From: ".doc.json.0.tmp"})
	if err == nil || !strings.Contains(err.Error(), "alive") {
		t.Error(err)
	}
	release()
	if _, err := doc.Recover(context.Background(), nil); err != nil {
		t.Error(err)
	}
	have(t, path, "[2]")
}

// TestRecoverNarrows: what is recovered is for nobody who could not read it before.
func TestRecoverNarrows(t *testing.T) {
	needsModes(t)
	for _, c := range []struct{ document, kept, want fs.FileMode }{
		{0o644, 0o600, 0o600}, {0o600, 0o644, 0o600}, {0o664, 0o646, 0o644}, {0o640, 0o640, 0o640},
		{0, 0o640, 0o640}, {0, 0o600, 0o600},
	} {
		path := filepath.Join(t.TempDir(), "doc.json")
		putText(t, names.Kept(path), "1")
		err := os.Chmod(names.Kept(path), c.kept)
		if c.document != 0 {
			putText(t, path, "")
			err = errors.Join(err, os.Chmod(path, c.document))
		}
		if err == nil {
			_, err = open(t, path, Options{}).Recover(context.Background(), nil)
		}
		if info, statErr := os.Stat(path); err != nil || statErr != nil ||
			info.Mode().Perm() != c.want {
			t.Errorf("of %v and %v became %v: %v, %v", c.document, c.kept, info, err, statErr)
		}
	}
}

// TestRecoverElsewhere: documents that are no files have nothing beside them.
func TestRecoverElsewhere(t *testing.T) {
	ctx := context.Background()
	db, err := New(memdriver.New(), &Options{KeepLast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	doc := db.Doc("doc")
	for range 2 {
		if _, err := doc.Update(ctx, increment); err != nil {
			t.Error(err)
		}
	}
	if _, err := doc.Recover(ctx, nil); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}

// TestCreateIfEmpty creates what is absent or empty, and nothing else.
func TestCreateIfEmpty(t *testing.T) {
	needsModes(t)
	ctx := context.Background()
	for content, creates := range map[string]bool{"": true, " \r\n\t": true, "0": false, "[": false,
		"\x00": false} {
		path := filepath.Join(t.TempDir(), "doc.json")
		putText(t, path, content)
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		doc := open(t, path, Options{})
		_, err := doc.CreateIfEmpty(ctx, []byte("[]"))
		if creates {
			have(t, path, "[]")
		} else {
			have(t, path, content)
		}
		info, statErr := os.Stat(path)
		if (err == nil) != creates || !creates && (!errors.Is(err, ErrExist) ||
			!errors.Is(err, ErrConflict)) || statErr != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%q: %v, %v, %v", content, err, info, statErr)
		}
	}
	doc := document(t, "", Options{})
	if _, err := doc.CreateIfEmpty(ctx, []byte("[")); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := doc.CreateIfEmpty(ctx, []byte("{}")); err != nil || content(t, doc) != "{}" {
		t.Error(err)
	}
}

// TestRecoverFaults: whichever call goes wrong, in whichever way, the broken document is
// there, and so is what it is recovered from, and the next one recovers it.
func TestRecoverFaults(t *testing.T) {
	needsSlashes(t)
	skipUnderRaceDetector(t)
	cases := 0
	for _, opts := range []Options{{}, {FlushOrder: JournalOrder}, {Durability: Volatile},
		{GuardForeign: true}} {
		for _, fault := range []simfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, After: true},
			{Err: syscall.ENOSPC, Short: true}, {Err: errors.ErrUnsupported},
			{Err: fs.ErrPermission}} {
			for _, span := range []span{once, everything} {
				for nth := 1; ; nth++ {
					reached, err := recoverWithFault(opts, fault, span, nth)
					if err != nil {
						t.Errorf("%v, guard %v, %+v, span %v, call %d: %v", opts.Durability,
							opts.GuardForeign, fault, span, nth, err)
					}
					if !reached {
						break
					}
					cases++
				}
			}
		}
	}
	t.Logf("%d faults", cases)
	if cases < 500 {
		t.Errorf("only %d faults", cases)
	}
}

func recoverWithFault(
	opts Options, fault simfs.Fault, span span, nth int,
) (reached bool, err error) {
	w := simfs.New()
	w.Put(simulated, broken)
	w.Put(simulatedKept, lastGood)
	calls, over, failed, lookup := math.MinInt, false, "", false
	faulty := &simfs.Faulty{Inject: func(op, name string) simfs.Fault {
		calls++
		if over || calls < nth || span == once && calls > nth {
			return simfs.Fault{}
		}
		if !reached {
			failed = op + " " + name
			lookup = op == "lstat"
		}
		reached = true
		return fault
	}}
	r := restoring{opts: opts}
	err = w.Sequentially("a", func(files fsys.FS) error {
		faulty.FS = files
		doc, err := openSimulated(faulty, opts)
		if err != nil {
			return err
		}
		calls = 0
		did, err := doc.Recover(context.Background(), nil)
		over = true
		doc.Close()
		got := w.Content(simulated)
		switch {
		case faulty.Opened.Load() != 0:
			return fmt.Errorf("%s: %d files are open", failed, faulty.Opened.Load())
		case err == nil && did.Taken != nil && string(got) != lastGood,
			err == nil && did.Taken != nil && string(w.Content(did.Aside)) != broken:
			return fmt.Errorf("%s: told that all went well, and found %q, %q", failed, got,
				w.Content(did.Aside))
		case err != nil && got != nil && string(got) != broken && string(got) != lastGood:
			return fmt.Errorf("%s: told %w, and found %q", failed, err, got)
		case err != nil && string(got) == broken && span == once && !lookup &&
			strings.Contains(fmt.Sprint(w.Names()), names.Invalid):
			return fmt.Errorf("%s: told %w, and there are %q", failed, err, w.Names())
		case !bytes.Equal(w.Content(simulatedKept), []byte(lastGood)):
			return fmt.Errorf("%s: kept is %q", failed, w.Content(simulatedKept))
		}
		return nil
	}, nil)
	if err == nil {
		err = r.brokenIsThere(w)
	}
	if err == nil {
		err = w.Sequentially("next", r.again, nil)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", failed, err)
	}
	return reached, err
}
