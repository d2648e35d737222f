// Chains: every version of a document has a unique name, and the writer that replaces it
// reports the version that it built on or displaced. If no version is displaced twice, no
// writer has replaced a version that it had not seen.

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

// link is a version of the document.
type link struct {
	ID string `json:"id"`
	// Foreign is the number of the last foreign version below it, if one program writes these.
	Foreign int `json:"foreign"`
	// Pad is the number of spaces in it. They make it large at little cost to the tests.
	Pad int `json:"-"`
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

// told is the report of a writer on a version that it has published.
type told struct {
	ID string
	On link // the version that it was built on (ours), or displaced, or was made from (foreign)
	// Invalid, if not 0, is the number of updates of this writer that were refused because the
	// document was broken. The other fields are empty then.
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

// chainTask is the task of a writer of ours. It works until the file Stop exists.
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
			// Each run has another name: readers may have seen a version that is never
			// acknowledged.
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

// foreignTask is the task of a program that does not know the store.
type foreignTask struct {
	File, Name string
	Way        foreignWay
	Times      int
}

// foreignWay is how it publishes a version. All but inPlace write a temporary file first.
type foreignWay string

const (
	byRename   foreignWay = "rename"
	byExchange foreignWay = "exchange" // this shows the displaced version
	inPlace    foreignWay = "in place"
	underLock  foreignWay = "under the lock" // read and renamed while the file .NAME.lock is locked
)

// writeForeign is the job "foreign". It reads the document, changes its own members, and
// publishes the result.
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

// awaitOther waits until the document has another version, for a limited time. A program that only
// writes would keep the other writers out most of the time.
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

// chain has the reports of all writers of one document.
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

// oursOnOurs returns the versions on which two acknowledged versions of ours were built: the
// later one displaced the earlier one, or a version built on that, without having seen it.
func (c *chain) oursOnOurs() (wrong []string) {
	seen := map[string]string{}
	for _, t := range c.ours {
		if other, double := seen[t.On.ID]; double {
			wrong = append(wrong,
				fmt.Sprintf("%s and %s were both built on %s", other, t.ID, t.On.ID))
		}
		seen[t.On.ID] = t.ID
	}
	return wrong
}

// account follows each version to the one that displaced it. It needs foreign writers that
// report the version that they really displaced.
//
// A guard withdraws a version of ours that displaced one it had not seen. At that moment a
// foreign writer may displace the withdrawn version. The version that the guard was about to
// put back is then overwritten by that writer, and no writer reports it. So the number of
// versions without a report equals the number of withdrawn versions that were displaced.
func (c *chain) account(last string) (wrong []string, withdrawn int) {
	known := map[string]bool{firstID: true}
	for _, t := range append(c.ours, c.foreign...) {
		known[t.ID] = true
	}
	by := map[string]string{}
	for _, t := range c.ours {
		if !known[t.On.ID] {
			wrong = append(wrong,
				fmt.Sprintf("%s was built on %s, which was withdrawn", t.ID, t.On.ID))
		}
	}
	for _, t := range append(c.ours, c.foreign...) {
		if !known[t.On.ID] {
			withdrawn++
			continue
		}
		if other, double := by[t.On.ID]; double {
			wrong = append(wrong,
				fmt.Sprintf("%s was displaced by %s and by %s", t.On.ID, other, t.ID))
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
		wrong = append(wrong,
			fmt.Sprintf("no writer reported that it displaced %q; %d may be missing", vanished,
				withdrawn))
	}
	if !known[last] || by[last] != "" {
		wrong = append(wrong,
			fmt.Sprintf("the last version, %s, was displaced by %q or never acknowledged", last,
				by[last]))
	}
	return wrong, withdrawn
}

// foreignLost returns the versions of a single foreign program that ours displaced without
// having seen them. The program looks at the document before each of its versions and at the
// end; looks has what it found. A version is lost if the next one found neither is that version
// nor builds on it.
func (c *chain) foreignLost(looks []link) (lost []string, withdrawn int) {
	ours := map[string]bool{}
	for _, t := range c.ours {
		ours[t.ID] = true
	}
	for n, found := range looks {
		switch {
		case found.Foreign >= n:
		case ours[found.ID]:
			lost = append(lost,
				fmt.Sprintf("%s-%d, of which %s does not know", foreignName, n, found.ID))
		default:
			withdrawn++ // or one that was in place for a moment while newer ones were put back
		}
	}
	return lost, withdrawn
}
