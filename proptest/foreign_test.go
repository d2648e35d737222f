// Programs that take no lock, beside writers of ours: what is not lost, and what cannot be helped.

package proptest

import (
	"fmt"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// own are options for a crew of ours, of all modes.
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
		t.Skip("there a program that takes no lock cannot reliably replace a file that others have open")
	}
}

// TestForeignExchange: with the guard no version of anybody is displaced by one of ours that has not seen it. The
// foreign programs publish by exchange, so that they know what they displaced: ours, too, are accounted for to
// the last one.
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
				// The account does not see whether, of two, the older was put back and the newer dropped.
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

// TestForeignUnguarded: without the guard the same foreign programs do lose versions, so that the test above would
// have seen it. It is a matter of chance: the larger the document, the rarer the moments between a last look and its rename.
func TestForeignUnguarded(t *testing.T) {
	if !canExchange {
		t.Skip("needs renameat2")
	}
	for begin := time.Now(); time.Since(begin) < 30*time.Second; {
		s := scene{pad: 1_000, options: own(false, store.Volatile),
			foreign: []foreignTask{{Name: "f", Way: byExchange, Times: 100}}}
		got := s.play(t)
		wrong, withdrawn := got.account(got.last.ID)
		// Even then ours do not displace ours, and nothing is ever withdrawn.
		if ours := got.oursOnOurs(); len(ours) > 0 || withdrawn > 0 {
			t.Errorf("%q; %d withdrawn", ours, withdrawn)
		}
		if len(wrong) > 0 {
			t.Logf("%d foreign versions, %d of ours: %d wrong, as in %q", len(got.foreign), len(got.ours), len(wrong), wrong[0])
			return
		}
	}
	t.Error("nothing was lost without the guard; if that is so on this system, the tests with it prove nothing")
}

// TestForeignRename: the same with a program that renames blindly, as most do, and looks between any two times.
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

// TestForeignScripts: the same with the system's own programs. Each script gets in $1 how often, in $2 the document, in
// $3 where to log what it finds.
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
			body: `sed -i "s/\"id\":\"[^\"]*\"/\"id\":\"f-$k\"/; s/\"foreign\":[0-9]*/\"foreign\":$k/" "$2"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			need(t, test.gnu, test.needs...)
			if test.guard && !canExchange {
				t.Skip("needs renameat2")
			}
			s := scene{options: own(test.guard, store.Volatile, store.Durable), script: loop(times, test.body)}
			s.play(t).judge(t, true)
		})
	}
}

// TestForeignLocked: who holds .NAME.lock from before he reads until he has replaced loses nothing and overwrites
// nothing, and needs no guard. So what he found is what he displaced.
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
		s := scene{options: own(false, store.Volatile, store.Durable), script: loop(max(20, times/10),
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

// TestForeignInPlace shows what cannot be helped: a program that writes into the document itself. Everybody can
// see it half done, what it writes after we have looked is lost, and so may be what we wrote while it was at it. It is
// counted only. Still ours do not displace ours, and a broken document is refused and left alone.
func TestForeignInPlace(t *testing.T) {
	skipWindows(t)
	times := max(20, foreignRenames(t)/3)
	scenes := map[string]scene{
		"program": {pad: 20_000, foreign: []foreignTask{{Name: "f", Way: inPlace, Times: times}}},
	}
	if _, err := exec.LookPath("sh"); err == nil {
		scenes["redirection"] = scene{script: loop(times, `printf '{"id":"f-%d","foreign":%d}' $k $k > "$2"`)}
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
