package names

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// own are all names of files that the store may have beside a document, of each kind one or
// some.
func own(path string) map[string]string {
	guarded := strings.Repeat("0123456789abcdef", 3)[:GuardedDigits]
	files := map[string]string{
		"lock": Lock(path), "intent": Intent(path), "kept": Kept(path), "random": Random(path, 7),
		"guarded": Guarded(path, guarded), "transaction": Transaction(path, guarded[:32]),
		"gate": Gate(Lock(path)), "lent": Held(Lock(path), guarded[:32], false),
		"lent shared": Held(Lock(path), guarded[:32], true),
	}
	for place := range Places {
		files[fmt.Sprint("place ", place)] = Place(path, place)
	}
	return files
}

// TestNames: for each name that a file system allows, the store's own names fit too, are
// known as such, and are no other document's.
func TestNames(t *testing.T) {
	var documents []string
	for n := 1; n <= 255; n++ {
		documents = append(documents, strings.Repeat("x", n), strings.Repeat("x", n-1)+"y")
	}
	for n := 1; n <= 255/3; n++ {
		rest := strings.Repeat("語", n-1)
		documents = append(documents, "語"+rest, "a"+rest, "ab"+rest)
	}
	// What could be taken for the stem of another one, and names that are no text.
	for _, name := range []string{strings.Repeat("x", 255), strings.Repeat("語", 80)} {
		stem, _ := stem(name)
		documents = append(documents, stem, stem+".long", "."+stem, stem[:len(stem)-33],
			strings.Repeat("\xa0", 250), stem+".0", "."+stem+".0")
	}
	seen := map[string]string{}
	for _, document := range documents {
		if seen[document] != "" {
			continue
		}
		seen[document] = "the document"
		for kind, file := range own(filepath.Join("dir", document)) {
			dir, file := filepath.Split(file)
			what := fmt.Sprintf("the %s of %q", kind, document)
			if dir != "dir/" || len(file) > 255 {
				t.Errorf("%s is %s%s, of %d bytes", what, dir, file, len(file))
			}
			if utf8.ValidString(document) && !utf8.ValidString(file) {
				t.Errorf("%s is %q", what, file)
			}
			if other := seen[file]; other != "" {
				t.Errorf("%s has the name of %s: %q", what, other, file)
			}
			seen[file] = what
			if _, is := Own(file); !is {
				t.Errorf("%s is not known to be the store's: %q", what, file)
			}
			digits, is := TemporaryOf(document, file)
			temporary := !slices.Contains([]string{"lock", "intent", "gate", "lent", "lent shared",
				"kept"}, kind)
			if is != temporary || is && !strings.Contains(file, "."+digits+".") {
				t.Errorf("%s: a temporary file of its document: %v, with the digits %q", what,
					is, digits)
			}
			if lent := strings.HasPrefix(kind, "lent"); IsHeld(Lock(document), file) != lent {
				t.Errorf("%s: a lock that is lent: %v", what, !lent)
			}
			if temporary && IntentBeside(file) != Intent(document) {
				t.Errorf("%s has the intent %q beside it", what, IntentBeside(file))
			}
			stem, long := stem(document)
			if of, isLong, is := IsIntent(file); is != (kind == "intent") ||
				is && (of != stem || isLong != long) {
				t.Errorf("%s: an intent: %v, of %q, long: %v", what, is, of, isLong)
			}
			if _, is := TemporaryOf(document+"z", file); is {
				t.Errorf("%s is taken for one of another document", what)
			}
		}
	}
}

// TestNamesStay: programs of all versions, and flock in shell scripts, take the same lock.
func TestNamesStay(t *testing.T) {
	for path, want := range map[string]string{
		"state/doc.json":         "state/.doc.json.lock",
		strings.Repeat("x", 213): "." + strings.Repeat("x", 213) + ".lock",
		"d/" + strings.Repeat("x", 214): "d/." + strings.Repeat("x", 100) +
			".0b93f4b9b0255a8d3c98003a6972b32b.longlock",
		strings.Repeat("語", 84) + ".js": "." + strings.Repeat("語", 33) +
			".7a54289a33103d09ddaa4da486bf86f8.longlock",
	} {
		if got := Lock(path); got != want {
			t.Errorf("the lock of %s is %s, want %s", path, got, want)
		}
	}
}

// TestAside: what was moved aside is known by its name, and is no file of the store's own.
func TestAside(t *testing.T) {
	at := time.Date(2026, 11, 29, 10, 15, 2, 999, time.FixedZone("", 3600))
	for _, base := range []string{"doc.json", "a.invalid-b", strings.Repeat("é", 127)} {
		for _, reason := range []string{Invalid, Replaced} {
			for _, number := range []uint32{0, 1, math.MaxUint32} {
				name := filepath.Base(Aside(filepath.Join("dir", base), reason, at, number))
				_, is := IsAside(name)
				_, own := Own(name)
				if !is || own || !IsAsideOf(base, name) || IsAsideOf(base+"x", name) ||
					len(name) > 255 || !strings.Contains(name, "."+reason+"-20261129T091502Z") {
					t.Errorf("%s: %v, own %v", name, is, own)
				}
			}
		}
	}
	for _, name := range []string{"doc.json", ".invalid-20261129T091502Z", "doc.json.invalid-",
		"doc.json.invalid-20261129T091502Z-", "doc.json.invalid-20261129T091502Z-x",
		"doc.json.invalid-20261329T091502Z", "doc.json.broken-20261129T091502Z",
		"doc.json.invalid-20261129T091502Z.json"} {
		if document, is := IsAside(name); is {
			t.Errorf("%s is one of %s", name, document)
		}
	}
}

// TestHistory: the names of former versions say what they were made of, for each document, and are
// the store's own.
func TestHistory(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 2)
	seen := map[string]string{}
	for _, base := range []string{"doc.json", "d", "doc.json." + hash, strings.Repeat("x", 180),
		strings.Repeat("x", 181), strings.Repeat("x", 213), strings.Repeat("x", 255),
		strings.Repeat("é", 127), ".hidden"} {
		for _, e := range []Entry{{0, hash, "", false}, {math.MaxInt64, hash, "", true},
			{1 << 60, hash, hash[:16], false}, {1, hash[:31] + "d", hash[:15] + "d", true},
			{2, hash[:31] + "d", "", false}} {
			path := History(filepath.Join("dir", base), e)
			name := filepath.Base(path)
			got, ok := HistoryOf(base, name)
			_, own := Own(name)
			if !ok || got != e || !own || len(name) > 255 || filepath.Dir(path) != "dir" {
				t.Errorf("%s of %+v is %+v, %v, own %v", name, e, got, ok, own)
			}
			if other := seen[name]; other != "" {
				t.Errorf("%s is one of %s too", name, other)
			}
			seen[name] = base
			for _, other := range []string{base + "x", base[1:], "x" + base, base + "." + hash} {
				if _, ok := HistoryOf(other, name); ok {
					t.Errorf("%s is one of %s too", name, other)
				}
			}
			if is := IsHistorySwitch(path); is {
				t.Errorf("%s is a switch", name)
			}
		}
	}
	if document, own := Own(filepath.Base(History("doc.json", Entry{Hash: hash}))); !own ||
		document != "doc.json" {
		t.Errorf("it is one of %s", document)
	}
	if name := HistorySwitch("dir/doc.json"); name != "dir/.jsonstore.history" ||
		!IsHistorySwitch(name) {
		t.Error(name)
	}
	for _, name := range []string{".doc.json.history", ".doc.json." + hash + ".history",
		".doc.json." + hash + hash[:15] + "x.history", "doc.json." + hash + hash[:16] + ".history"} {
		if e, ok := HistoryOf("doc.json", name); ok {
			t.Errorf("%s is %+v", name, e)
		}
	}
}

// TestSnapshotNames: the files of snapshots are known by their names, and are the store's own.
func TestSnapshotNames(t *testing.T) {
	for _, name := range []string{"s", "a.b", ".x", strings.Repeat("x", 200)} {
		file := Snapshot(name)
		for unfinished, file := range map[bool]string{false: file, true: Place(file, 3)} {
			found, is := IsSnapshot(file, unfinished)
			_, other := IsSnapshot(file, !unfinished)
			_, own := Own(file)
			if !is || found != name || other || !own || len(Random(file, 1)) > 255 {
				t.Errorf("%q: %q, %v, other %v, own %v", file, found, is, other, own)
			}
		}
	}
	for _, file := range []string{".snapshot", "s.snapshot", ".s.snapshots", ".s.lock", "..tmp"} {
		if name, is := IsSnapshot(file, false); is {
			t.Errorf("%q is %q", file, name)
		}
	}
}
