// Chains: every version of a document has a name of its own, and whoever replaces it tells which one it built on or
// displaced. If no version is ever displaced twice, nobody replaced what he had not seen.

package proptest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// link is a version.
type link struct {
	ID      string `json:"id"`
	Foreign int    `json:"foreign"` // the number of the last foreign version that it builds on, where one program writes them
	Pad     int    `json:"-"`       // how many spaces are in it: they make it large, and cost the tests little
}

func (l link) encode() []byte {
	return fmt.Appendf(nil, `{"id":%q,"foreign":%d%*s}`, l.ID, l.Foreign, l.Pad, "")
}

func parseLink(data []byte) (link, error) {
	var l link
	head := data
	if i := bytes.IndexByte(data, ' '); i > 0 && string(bytes.TrimLeft(data[i:], " ")) == "}" {
		l.Pad = len(data) - i - 1
		head = append(bytes.Clone(data[:i]), '}')
	}
	err := json.Unmarshal(head, &l)
	if err == nil && l.ID == "" {
		err = errors.New("has no id")
	}
	return l, err
}

// told is what a writer says of a version that it has put in place.
type told struct {
	ID string
	On link // what it was built on (ours) or displaced or was made from (foreign)
	// Invalid, if not 0: how many updates of this writer were refused since the document was broken. The rest is empty.
	Invalid int
}

func tell(t told) error {
	line, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(line, '\n'))
	return err
}

// chainTask is for a writer of ours: it works until the file Stop is there.
type chainTask struct {
	File, Stop, Name string
	Options          store.Options
}

// writeChain is the job "chain".
func writeChain(encoded []byte) error {
	var task chainTask
	if err := json.Unmarshal(encoded, &task); err != nil {
		return err
	}
	task.Options.Logger = slog.New(slog.DiscardHandler)
	doc, err := store.OpenFile(task.File, &task.Options)
	if err != nil {
		return err
	}
	defer doc.Close()
	if err := awaitStart(); err != nil {
		return err
	}
	for n, invalid := 0, 0; ; {
		if _, err := os.Stat(task.Stop); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, tell(told{Invalid: invalid}))
		}
		var made, base link
		_, err := doc.Update(context.Background(), func(old []byte) ([]byte, error) {
			var err error
			if base, err = parseLink(old); err != nil {
				return nil, fmt.Errorf("%q: %w", old, err)
			}
			// Another name for each run: one that is not acknowledged may have been seen all the same.
			n++
			made = base
			made.ID = fmt.Sprintf("%s-%d", task.Name, n)
			return made.encode(), nil
		})
		switch {
		case err == nil:
			err = tell(told{ID: made.ID, On: base})
		case errors.Is(err, store.ErrInvalid):
			invalid++
			err = nil
		}
		if err != nil {
			return err
		}
	}
}

// foreignTask is for a program that has never heard of the store.
type foreignTask struct {
	File, Name string
	Way        foreignWay
	Times      int
}

// foreignWay is how it puts a version in place. All but inPlace write a temporary file first.
type foreignWay string

const (
	byRename   foreignWay = "rename"
	byExchange foreignWay = "exchange" // which tells what was displaced
	inPlace    foreignWay = "in place"
	underLock  foreignWay = "under the lock" // read and renamed while the file .NAME.lock is locked
)

// writeForeign is the job "foreign": it reads the document, changes its own members, and puts that in place.
func writeForeign(encoded []byte) error {
	var task foreignTask
	if err := json.Unmarshal(encoded, &task); err != nil {
		return err
	}
	if err := awaitStart(); err != nil {
		return err
	}
	last := ""
	for n := 1; n <= task.Times; n++ {
		if rand.IntN(2) == 0 {
			awaitOther(task.File, last)
		}
		last = fmt.Sprintf("%s-%d", task.Name, n)
		write := func() error { return task.write(last, n) }
		var err error
		if task.Way == underLock {
			err = withFlock(task.File, write)
		} else {
			err = write()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitOther looks until there is another version, or nobody seems to want to write one: a program that only writes
// would be alone most of the time.
func awaitOther(file, id string) {
	for begin := time.Now(); time.Since(begin) < time.Second; {
		if data, err := os.ReadFile(file); err == nil {
			if now, err := parseLink(data); err == nil && now.ID != id {
				return
			}
		}
	}
}

func (task *foreignTask) write(id string, number int) error {
	data, err := os.ReadFile(task.File)
	if err != nil {
		return err
	}
	found, err := parseLink(data)
	if err != nil && task.Way != inPlace {
		return fmt.Errorf("torn: %d bytes, %w", len(data), err)
	}
	data = link{id, number, found.Pad}.encode()
	if task.Way == inPlace {
		if err := os.WriteFile(task.File, data, 0o600); err != nil {
			return err
		}
		return tell(told{ID: id, On: found})
	}
	temporary := task.File + "." + task.Name
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	if task.Way != byExchange {
		if err := os.Rename(temporary, task.File); err != nil {
			return err
		}
		return tell(told{ID: id, On: found})
	}
	if err := exchange(temporary, task.File); err != nil {
		return err
	}
	if data, err = os.ReadFile(temporary); err != nil {
		return err
	}
	displaced, err := parseLink(data)
	if err != nil {
		return fmt.Errorf("displaced what is torn: %d bytes, %w", len(data), err)
	}
	if err := os.Remove(temporary); err != nil {
		return err
	}
	return tell(told{ID: id, On: displaced})
}

// chain is what all writers told of one document.
type chain struct {
	ours, foreign []told
	invalid       int // updates of ours that found the document broken
}

func (c *chain) add(t told) {
	switch {
	case t.ID == "":
		c.invalid += t.Invalid
	case strings.HasPrefix(t.ID, foreignName):
		c.foreign = append(c.foreign, t)
	default:
		c.ours = append(c.ours, t)
	}
}

const (
	firstID     = "first"
	foreignName = "f" // that those of foreign programs begin with; ours do not
)

// oursOnOurs returns what two acknowledged versions of ours were built on: the later one displaced the earlier unseen,
// or displaced what was built on that.
func (c *chain) oursOnOurs() (wrong []string) {
	seen := map[string]string{}
	for _, t := range c.ours {
		if other, double := seen[t.On.ID]; double {
			wrong = append(wrong, fmt.Sprintf("%s and %s were both built on %s", other, t.ID, t.On.ID))
		}
		seen[t.On.ID] = t.ID
	}
	return wrong
}

// account follows each version to the one that displaced it, where foreign writers told what they really displaced.
//
// A guard withdraws a version of ours that displaced one it had not seen, and a foreign writer may come just then and
// displace the withdrawn one. The version that was about to be put back has then been overwritten by that
// writer, and nobody else tells of it. So there are as many of those as of the withdrawn that were displaced.
func (c *chain) account(last string) (wrong []string, withdrawn int) {
	known := map[string]bool{firstID: true}
	for _, t := range append(c.ours, c.foreign...) {
		known[t.ID] = true
	}
	by := map[string]string{}
	for _, t := range c.ours {
		if !known[t.On.ID] {
			wrong = append(wrong, fmt.Sprintf("%s was built on %s, which was withdrawn", t.ID, t.On.ID))
		}
	}
	for _, t := range append(c.ours, c.foreign...) {
		if !known[t.On.ID] {
			withdrawn++
			continue
		}
		if other, double := by[t.On.ID]; double {
			wrong = append(wrong, fmt.Sprintf("%s was displaced by %s and by %s", t.On.ID, other, t.ID))
		}
		by[t.On.ID] = t.ID
	}
	var vanished []string
	for id := range known {
		if by[id] == "" && id != last {
			vanished = append(vanished, id)
		}
	}
	if len(vanished) != withdrawn {
		wrong = append(wrong, fmt.Sprintf("nobody told of having displaced %q; %d may be so", vanished, withdrawn))
	}
	if !known[last] || by[last] != "" {
		wrong = append(wrong, fmt.Sprintf("the last version, %s, was displaced by %q or never acknowledged", last, by[last]))
	}
	return wrong, withdrawn
}

// foreignLost returns the versions of a single foreign program, which looked between any two, that ours displaced
// unseen: what it found then neither is its version nor builds on it. Looks are what it found before each version, and
// at the end.
func (c *chain) foreignLost(looks []link) (lost []string, withdrawn int) {
	ours := map[string]bool{}
	for _, t := range c.ours {
		ours[t.ID] = true
	}
	for n, found := range looks {
		switch {
		case found.Foreign >= n:
		case ours[found.ID]:
			lost = append(lost, fmt.Sprintf("%s-%d, of which %s does not know", foreignName, n, found.ID))
		default:
			withdrawn++ // or one that was in place for a moment while newer ones were put back
		}
	}
	return lost, withdrawn
}
