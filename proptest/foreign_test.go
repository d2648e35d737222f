// Programs that take no lock, beside writers of ours: which updates survive, and which may be lost.

package proptest

import (
	"fmt"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// own returns the options of a crew of ours, with all modes.
func own(guard bool, durabilities ...store.Durability) (all []store.Options) {
	for i, mode := range []store.Options{
		{Versions: store.VersionHash}, {Versions: store.VersionMtime}, {Versions: store.VersionHash, Locking: true},
	} {
		mode.GuardForeign = guard
		mode.Durability = durabilities[i%len(durabilities)]
		all = append(all, mode)
	}
	return all
}

func foreignRenames(t *testing.T) int { return setting(t, "JSONSTORE_FOREIGN", 100) }

func skipWindows(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there a program that takes no lock cannot reliably replace a file that others " +
			"have open")
	}
}

// TestForeignExchange: with the guard, no version of ours displaces a version that it has not
// seen. The foreign programs publish by exchange and know the version that they displaced, so
// that every version of ours is accounted for too.
func TestForeignExchange(t *testing.T) {
	if !canExchange {
		t.Skip("needs renameat2")
	}
	times := foreignRenames(t)
	for _, test := range []struct {
		name  string
		scene scene
	}{
		{"durable", scene{options: own(true, store.Durable), foreign: []foreignTask{{Name: "f", Times: times}}}},
		{"volatile", scene{options: own(true, store.Volatile), foreign: []foreignTask{{Name: "f", Times: times}}}},
		{"large", scene{pad: 50_000, options: own(true, store.Volatile, store.Ordered),
			foreign: []foreignTask{{Name: "f", Times: times}}}},
		{"two programs", scene{pad: 20_000, options: own(true, store.Volatile, store.Durable),
			foreign: []foreignTask{{Name: "f", Times: times}, {Name: "ff", Times: times}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i := range test.scene.foreign {
				test.scene.foreign[i].Way = byExchange
			}
			got := test.scene.play(t)
			wrong, withdrawn := got.account(got.last.ID)
			if len(test.scene.foreign) == 1 {
				// The account does not notice if the older of two versions was put back.
				lost, _ := got.foreignLost(append(got.found(), got.last))
				wrong = append(wrong, lost...)
			}
			for _, text := range wrong {
				t.Error(text)
			}
			t.Logf("%d foreign versions, %d of ours, %d displaced while being withdrawn, %d lost",
				len(got.foreign), len(got.ours), withdrawn, len(wrong))
		})
	}
}

// TestForeignUnguarded: without the guard the same foreign programs lose versions, so the test
// above would notice a loss. That happens by chance: the larger the document, the rarer the
// moments between the verification and the rename.
func TestForeignUnguarded(t *testing.T) {
	if !canExchange {
		t.Skip("needs renameat2")
	}
	for begin := time.Now(); time.Since(begin) < 30*time.Second; {
		s := scene{pad: 1_000, options: own(false, store.Volatile),
			foreign: []foreignTask{{Name: "f", Way: byExchange, Times: 100}}}
		got := s.play(t)
		wrong, withdrawn := got.account(got.last.ID)
		// Even then ours do not displace ours, and no version is withdrawn.
		if ours := got.oursOnOurs(); len(ours) > 0 || withdrawn > 0 {
			t.Errorf("%q; %d withdrawn", ours, withdrawn)
		}
		if len(wrong) > 0 {
			t.Logf("%d foreign versions, %d of ours: %d wrong, as in %q", len(got.foreign),
				len(got.ours), len(wrong), wrong[0])
			return
		}
	}
	t.Error("no version was lost without the guard; then the tests with the guard prove nothing " +
		"here")
}

// TestForeignRename: the same with a program that renames without a comparison, as most do, and
// reads the document between any two renames.
func TestForeignRename(t *testing.T) {
	skipWindows(t)
	times := foreignRenames(t)
	for _, guard := range []bool{false, true} {
		t.Run(fmt.Sprint("guard ", guard), func(t *testing.T) {
			if guard && !canExchange {
				t.Skip("needs renameat2")
			}
			s := scene{pad: 50_000, options: own(guard, store.Volatile, store.Durable),
				foreign: []foreignTask{{Name: "f", Way: byRename, Times: times}}}
			s.play(t).judge(t, guard)
		})
	}
}

// TestForeignScripts: the same with programs of the system. A script gets the number of its
// versions in $1, the document in $2, and in $3 the log for what it finds.
func TestForeignScripts(t *testing.T) {
	skipWindows(t)
	times := max(20, foreignRenames(t)/10)
	for _, test := range []struct {
		name  string
		needs []string
		gnu   bool
		guard bool
		body  string
	}{
		{name: "jq and mv", needs: []string{"sh", "jq", "mv"}, guard: true,
			body: `jq -c ".id=\"f-$k\"|.foreign=$k" "$2" > "$3.tmp" && mv "$3.tmp" "$2"`},
		{name: "printf and mv", needs: []string{"sh", "mv"}, guard: true,
			body: `printf '{"id":"f-%d","foreign":%d}' $k $k > "$3.tmp" && mv "$3.tmp" "$2"`},
		{name: "sed -i", needs: []string{"sh", "sed"}, gnu: true, guard: true,
			body: `sed -i "s/\"id\":\"[^\"]*\"/\"id\":\"f-$k\"/; ` +
				`s/\"foreign\":[0-9]*/\"foreign\":$k/" "$2"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			need(t, test.gnu, test.needs...)
			if test.guard && !canExchange {
				t.Skip("needs renameat2")
			}
			s := scene{options: own(test.guard, store.Volatile, store.Durable),
				script: loop(times, test.body)}
			s.play(t).judge(t, true)
		})
	}
}

// TestForeignLocked: a program that holds .NAME.lock from before its read until after its
// rename loses no version and overwrites none, without a guard. The version that it found is
// the one that it displaced.
func TestForeignLocked(t *testing.T) {
	if !canExchange {
		t.Skip("needs flock as on Linux")
	}
	times := foreignRenames(t)
	t.Run("program", func(t *testing.T) {
		s := scene{options: own(false, store.Volatile, store.Durable), foreign: []foreignTask{
			{Name: "f", Way: underLock, Times: times}, {Name: "ff", Way: underLock, Times: times},
		}}
		s.play(t).mustAccount(t)
	})
	t.Run("flock and jq", func(t *testing.T) {
		need(t, true, "sh", "flock", "jq", "mv")
		s := scene{options: own(false, store.Volatile, store.Durable),
			script: loop(max(20, times/10),
				`k=$k flock "$(dirname "$2")/.doc.json.lock" sh -c '
cat "$0" >> "$1.locked" && echo >> "$1.locked" &&
jq -c ".id=\"f-$k\"|.foreign=$k" "$0" > "$1.tmp" && mv "$1.tmp" "$0"' "$2" "$3"`)}
		got := s.play(t)
		for n, found := range looksIn(t, got.log+".locked", false) {
			got.add(told{ID: fmt.Sprintf("f-%d", n+1), On: found})
		}
		got.mustAccount(t)
	})
}

// TestForeignInPlace: a program that writes into the document itself cannot be helped. Readers
// may see half of its write, its writes after our verification are lost, and so may be updates
// of ours during its write. The test only counts these. Still ours do not displace ours, and a
// broken document is refused and left alone.
func TestForeignInPlace(t *testing.T) {
	skipWindows(t)
	times := max(20, foreignRenames(t)/3)
	scenes := map[string]scene{
		"program": {pad: 20_000, foreign: []foreignTask{{Name: "f", Way: inPlace, Times: times}}},
	}
	if _, err := exec.LookPath("sh"); err == nil {
		scenes["redirection"] = scene{script: loop(times,
			`printf '{"id":"f-%d","foreign":%d}' $k $k > "$2"`)}
	}
	for name, s := range scenes {
		t.Run(name, func(t *testing.T) {
			s.options, s.torn = own(canExchange, store.Volatile, store.Durable), true
			got := s.play(t)
			got.judge(t, false)
			t.Logf("%d torn reads, %d updates refused", got.tornReads, got.invalid)
		})
	}
}
