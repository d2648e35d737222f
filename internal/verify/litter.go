// What lies about in a directory: temporary files of dead writers, documents that are not valid, and what an
// earlier probe could not remove.

package verify

import (
	"context"
	"errors"
	"fmt"
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

// Litter is what Look found. It concerns the documents, not the fitness of the directory.
type Litter struct {
	Documents int      `json:"documents"` // files *.json that were read
	Unread    int      `json:"unread"`    // that were not: too large, too many, or not to be read
	Invalid   []string `json:"invalid"`   // of those that were read
	Orphans   []string `json:"orphans"`   // temporary files whose writer is dead
	Locks     []string `json:"locks"`     // lock files that not all can lock who may change the document
	Leftovers []string `json:"leftovers"` // of a doctor, verify or bench that was killed
}

const (
	lookTime = 300 * time.Millisecond
	lookSize = 1 << 20
)

// Look looks at the files in a directory, not below it, for a short time. It changes nothing.
func Look(ctx context.Context, files fsys.FS, dir string, opts *store.Options) (Litter, error) {
	found := Litter{Invalid: []string{}, Orphans: []string{}, Locks: []string{}, Leftovers: []string{}}
	entries, err := files.ReadDir(dir)
	if err != nil {
		return found, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name < entries[j].Name })
	end := time.Now().Add(lookTime)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name)
		switch {
		case crew.IsOurs(entry):
			if crew.Abandoned(files, path) {
				found.Leftovers = append(found.Leftovers, entry.Name)
			}
		case strings.HasPrefix(entry.Name, probePrefix):
			found.Leftovers = append(found.Leftovers, entry.Name)
		case !entry.Type.IsRegular() || time.Now().After(end) || ctx.Err() != nil:
			if strings.HasSuffix(entry.Name, ".json") {
				found.Unread++
			}
		case strings.HasPrefix(entry.Name, "."):
			_, _, temporary := names.Temporary(entry.Name)
			if temporary && ownerless(files, path) {
				found.Orphans = append(found.Orphans, entry.Name)
			}
		case strings.HasSuffix(entry.Name, ".json"):
			info, err := files.Lstat(path)
			if err != nil || info.Size > lookSize {
				found.Unread++
				continue
			}
			locked, lockErr := files.Lstat(names.Lock(path))
			if lockErr == nil && !locked.LocksFor(info) && os.Geteuid() >= 0 { // where there are owners
				found.Locks = append(found.Locks, filepath.Base(names.Lock(path)))
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
	return found, nil
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

// ownerless reports whether nobody holds the lock that says that the writer of a temporary file is alive.
func ownerless(files fsys.FS, path string) bool {
	file, err := files.Open(path, fsys.OpenExisting, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	free, err := file.TryLock()
	return err == nil && free
}

// Findings says what is to be known of the litter.
func (l Litter) Findings() []Finding {
	var found []Finding
	text := fmt.Sprintf("%d documents (*.json) looked at, all valid", l.Documents)
	state := OK
	if n := len(l.Invalid); n > 0 {
		state, text = Note, fmt.Sprintf("%d of %d (*.json) are not valid JSON: %s; see jsonstore check FILE", n, l.Documents, some(l.Invalid))
	}
	if l.Unread > 0 {
		text += fmt.Sprintf("; %d not looked at", l.Unread)
	}
	if l.Documents+l.Unread > 0 {
		found = append(found, Finding{"documents", state, text})
	}
	if n := len(l.Orphans); n > 0 {
		found = append(found, Finding{"litter", Note, fmt.Sprintf("%d temporary files of dead writers, which jsonstore check FILE removes, "+
			"or one of the next writes to their documents: %s", n, some(l.Orphans))})
	}
	if n := len(l.Locks); n > 0 {
		found = append(found, Finding{"lock files", Note, fmt.Sprintf("%d have another owner, group or mode than their documents, so that not all can lock "+
			"them who may change those; jsonstore check FILE as root, or as their owner, mends it: %s", n, some(l.Locks))})
	}
	if len(l.Leftovers) > 0 {
		text := "of a doctor, verify or bench that was killed; the next verify or bench removes " +
			"directories, remove files yourself if no doctor runs: " + some(l.Leftovers)
		found = append(found, Finding{"leftovers", Note, text})
	}
	return found
}

// some names a few of many.
func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " …"
	}
	return strings.Join(names, ", ")
}
