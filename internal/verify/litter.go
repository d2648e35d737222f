// The litter of a directory: temporary files of dead writers, intents of dead transactions,
// invalid documents, lock files with wrong access, and what an earlier probe could not remove.

package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/store"
)

// Litter is the result of Look. It concerns the documents, not the fitness of the directory,
// except for files that cannot be replaced.
type Litter struct {
	Documents int      `json:"documents"` // number of files *.json that were read
	Unread    int      `json:"unread"`    // number of others: too large, too many, unreadable
	Invalid   []string `json:"invalid"`   // documents that are not valid JSON
	Orphans   []string `json:"orphans"`   // temporary files whose writer is dead
	Intents   []Intent `json:"intents"`   // of transactions whose process is dead
	Locks     []string `json:"locks"`     // lock files whose access differs from the document's
	TwoLocks  []string `json:"two_locks"` // documents that have a lock file and NAME.lock
	Mounts    []string `json:"mounts"`    // files that are mount points, which cannot be replaced
	Aside     []string `json:"aside"`     // documents that jsonstore recover has moved aside
	Snapshots int      `json:"snapshots"` // number of snapshots that can be used
	// BadSnapshots are those that cannot: torn, changed, another user's; and files of dead
	// makers.
	BadSnapshots []string `json:"bad_snapshots"`
	Leftovers    []string `json:"leftovers"` // files of a doctor, verify or bench that was killed
}

// Intent is the intent of a transaction beside a document.
type Intent struct {
	Document string `json:"document"`
	State    string `json:"state"`          // pending, committed or void; unknown
	Home     string `json:"home,omitempty"` // the document that decides
}

const (
	lookTime = 300 * time.Millisecond
	lookSize = 1 << 20
)

// Look examines the files in a directory, not below it, for a short time. It changes nothing.
func Look(ctx context.Context, files fsys.FS, dir string, opts *store.Options) (Litter, error) {
	found := Litter{
		Invalid: []string{}, Orphans: []string{}, Intents: []Intent{}, Locks: []string{},
		TwoLocks: []string{}, Mounts: []string{}, Aside: []string{}, Leftovers: []string{},
		BadSnapshots: []string{},
	}
	entries, err := files.ReadDir(dir)
	if err != nil {
		return found, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name < entries[j].Name })
	end := time.Now().Add(lookTime)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name)
		if entry.Type.IsRegular() && fsys.IsMountPoint(path) {
			found.Mounts = append(found.Mounts, entry.Name)
		}
		_, aside := names.IsAside(entry.Name)
		switch {
		case aside && entry.Type.IsRegular():
			found.Aside = append(found.Aside, entry.Name)
		case crew.IsOurs(entry):
			if crew.Abandoned(files, path) {
				found.Leftovers = append(found.Leftovers, entry.Name)
			}
		case entry.Type == fs.ModeSymlink && isLinkOfTransaction(files, path):
			if intent, left := lookAtIntent(path, opts); left {
				found.Intents = append(found.Intents, intent)
			}
		case strings.HasPrefix(entry.Name, probePrefix):
			found.Leftovers = append(found.Leftovers, entry.Name)
		case !entry.Type.IsRegular() || time.Now().After(end) || ctx.Err() != nil:
			if strings.HasSuffix(entry.Name, ".json") {
				found.Unread++
			}
		case strings.HasPrefix(entry.Name, "."):
			if intent, left := lookAtIntent(path, opts); left {
				found.Intents = append(found.Intents, intent)
			}
			_, unfinished := names.IsSnapshot(entry.Name, true)
			switch {
			case !isOrphan(files, path):
			case unfinished:
				found.BadSnapshots = append(found.BadSnapshots, entry.Name)
			default:
				found.Orphans = append(found.Orphans, entry.Name)
			}
		case strings.HasSuffix(entry.Name, ".json"):
			info, err := files.Lstat(path)
			if err != nil || info.Size > lookSize {
				found.Unread++
				continue
			}
			locked, lockErr := files.Lstat(names.Lock(path))
			hasOwners := os.Geteuid() >= 0
			if lockErr == nil && !locked.LocksFor(info) && hasOwners {
				found.Locks = append(found.Locks, filepath.Base(names.Lock(path)))
			}
			if _, err := files.Lstat(path + ".lock"); err == nil && lockErr == nil {
				found.TwoLocks = append(found.TwoLocks, entry.Name)
			}
			err = readDocument(ctx, path, opts)
			if err != nil && !errors.Is(err, store.ErrInvalid) {
				found.Unread++
				continue
			}
			found.Documents++
			if err != nil {
				found.Invalid = append(found.Invalid, entry.Name)
			}
		}
	}
	return found, found.lookAtSnapshots(ctx, dir, opts)
}

// lookAtSnapshots counts the snapshots of a directory.
func (l *Litter) lookAtSnapshots(ctx context.Context, dir string, opts *store.Options) error {
	db, err := store.Open(dir, opts)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.Snapshots(ctx)
	for _, info := range all {
		if info.Problem == nil {
			l.Snapshots++
		} else {
			l.BadSnapshots = append(l.BadSnapshots, filepath.Base(info.Path))
		}
	}
	return err
}

func readDocument(ctx context.Context, path string, opts *store.Options) error {
	doc, err := store.OpenFile(path, opts)
	if err != nil {
		return err
	}
	defer doc.Close()
	_, _, err = doc.Read(ctx)
	return err
}

// lookAtIntent describes the intent of a transaction whose process is dead. Of a document with
// a long name it knows only the beginning of the name.
func lookAtIntent(path string, opts *store.Options) (found Intent, left bool) {
	document, isLong, ok := names.IsIntent(path)
	if !ok {
		return found, false
	}
	found = Intent{Document: document, State: "unknown"}
	if isLong {
		found.Document += "…"
		return found, true
	}
	doc, err := store.OpenFile(filepath.Join(filepath.Dir(path), document), opts)
	if err != nil {
		return found, true
	}
	defer doc.Close()
	switch info, err := doc.Intent(); {
	case err != nil:
		return found, true
	case info.Alive || info.State == store.NoIntent:
		return found, false
	default:
		found.State, found.Home = info.State.String(), info.Home
		return found, true
	}
}

// isOrphan reports whether a file is a temporary file of a dead writer, and not of a
// transaction, whose intent may name it: a file, or a link that is none of a guard.
func isOrphan(files fsys.FS, path string) bool {
	_, digits, temporary := names.Temporary(filepath.Base(path))
	if !temporary {
		return false
	}
	if len(digits) == names.TransactionDigits {
		intent := names.IntentBeside(path)
		info, err := files.Lstat(intent)
		if err == nil && (info.Mode.IsRegular() || isLinkOfTransaction(files, intent)) {
			return false
		}
	}
	return ownerless(files, path)
}

// isLinkOfTransaction reports whether a link is the intent of a transaction. A guard's has
// nothing but the digits of a file.
func isLinkOfTransaction(files fsys.FS, path string) bool {
	_, _, is := names.IsIntent(path)
	target, err := files.Readlink(path)
	return is && err == nil && len(target) != names.GuardedDigits
}

// ownerless reports whether the writer of a temporary file is dead: a living one holds its lock.
func ownerless(files fsys.FS, path string) bool {
	file, err := files.Open(path, fsys.OpenExisting, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	free, err := file.TryLock()
	return err == nil && free
}

// Findings describes the litter.
func (l Litter) Findings() []Finding {
	var found []Finding
	text := fmt.Sprintf("%d documents (*.json) read, all valid", l.Documents)
	state := OK
	if n := len(l.Invalid); n > 0 {
		state, text = Note, fmt.Sprintf("%d of %d (*.json) are not valid JSON: %s; "+
			"see jsonstore check FILE, and jsonstore recover FILE",
			n, l.Documents, some(l.Invalid))
	}
	if l.Unread > 0 {
		text += fmt.Sprintf("; %d not read", l.Unread)
	}
	if l.Documents+l.Unread > 0 {
		found = append(found, Finding{"documents", state, text})
	}
	if n := len(l.Orphans); n > 0 {
		text := fmt.Sprintf("%d temporary files of dead writers; jsonstore check FILE "+
			"removes them, and so does one of the next writes to their documents: %s",
			n, some(l.Orphans))
		found = append(found, Finding{"litter", Note, text})
	}
	if n := len(l.Aside); n > 0 {
		text := fmt.Sprintf("%d broken or replaced documents were moved aside by jsonstore "+
			"recover; remove them when you need them no longer: %s", n, some(l.Aside))
		found = append(found, Finding{"moved aside", Note, text})
	}
	if n := len(l.BadSnapshots); n > 0 || l.Snapshots > 0 {
		state, text := OK, fmt.Sprintf("%d that can be used", l.Snapshots)
		if n > 0 {
			state, text = Note, fmt.Sprintf("%s; %d files are torn, of another user, or of a "+
				"process that died; see jsonstore snapshot list, and remove them; those of "+
				"processes the next snapshot removes: %s", text, n, some(l.BadSnapshots))
		}
		found = append(found, Finding{"snapshots", state, text})
	}
	if n := len(l.Intents); n > 0 {
		var of []string
		for _, i := range l.Intents {
			of = append(of, i.Document+" ("+i.State+")")
		}
		text := fmt.Sprintf("%d documents are part of a transaction whose process has died; "+
			"all readers of jsonstore see it whole; the next write to one of its documents, or "+
			"jsonstore check FILE, finishes what is committed and undoes what is not: %s",
			n, some(of))
		found = append(found, Finding{"transactions", Note, text})
	}
	if n := len(l.Locks); n > 0 {
		text := fmt.Sprintf("%d have another owner, group or mode than their documents, so "+
			"that some users who may change a document cannot lock it; run jsonstore check FILE "+
			"as root, or as the owner of the file: %s", n, some(l.Locks))
		found = append(found, Finding{"lock files", Note, text})
	}
	if n := len(l.TwoLocks); n > 0 {
		text := fmt.Sprintf("%d documents have a lock file of jsonstore and another one, "+
			"NAME.lock, "+
			"so that programs that lock different ones do not exclude each other; give all "+
			"jsonstore commands --lock-file NAME.lock, or remove the one that nobody locks: %s",
			n, some(l.TwoLocks))
		found = append(found, Finding{"two locks", Note, text})
	}
	if n := len(l.Mounts); n > 0 {
		text := fmt.Sprintf("%d files are mounted one by one, as into a container, so that they "+
			"cannot be replaced; mount their directory instead: %s", n, some(l.Mounts))
		found = append(found, Finding{"mount points", Bad, text})
	}
	if len(l.Leftovers) > 0 {
		text := "of a doctor, verify or bench that was killed; the next verify or bench " +
			"removes the directories; remove the files yourself if no doctor runs: " +
			some(l.Leftovers)
		found = append(found, Finding{"leftovers", Note, text})
	}
	return found
}

// some lists the first three of many names.
func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " …"
	}
	return strings.Join(names, ", ")
}
