// Switching the history of documents on and off. historyswitch.go has what writers see of it.

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
)

// HistoryOptions says which versions of a document are kept after they were replaced or
// deleted. A version that is beyond one of the limits is removed some time later.
type HistoryOptions struct {
	// Keep is the number of versions. Default 0: DefaultHistory, or no limit if there is
	// an Age. Negative: no limit.
	Keep int
	// Age is how long a version is kept after it was replaced. Default 0: no limit.
	Age time.Duration
}

// DefaultHistory is the number of versions that are kept if HistoryOptions has no limits.
const DefaultHistory = 100

// withDefaults returns o, which may be nil, with the limits that count: a number of 0 is no
// limit.
func (o *HistoryOptions) withDefaults() (HistoryOptions, error) {
	full := HistoryOptions{}
	if o != nil {
		full = *o
	}
	switch {
	case full.Age < 0:
		return full, fmt.Errorf("negative Age %v; leave it 0 for no limit", full.Age)
	case full.Keep < 0:
		full.Keep = 0
	case full.Keep == 0 && full.Age == 0:
		full.Keep = DefaultHistory
	}
	return full, nil
}

// SetHistory switches the history of the document on, or off if opts is nil. It may be
// absent. When SetHistory has returned, all writers of the store that take the document's
// lock keep the versions that they replace or delete, whatever their options. The versions
// that were kept stay when it is switched off. A version that is not valid JSON is not kept.
// The switch is in a file of the document's directory, .jsonstore.history, and is durable.
// If SetHistory ends while it waits for writers, the error says that it is switched all the
// same. It takes 10 ms at least. It is ErrUnsupported where documents are not files.
func (d *Doc) SetHistory(ctx context.Context, opts *HistoryOptions) error {
	files, full, err := d.forHistory(opts)
	if err == nil {
		err = d.write(func() error { return files.setHistory(ctx, d.key, full) })
	}
	if err != nil {
		return d.error("history", err)
	}
	return nil
}

func (d *Doc) forHistory(opts *HistoryOptions) (*fileDriver, *HistoryOptions, error) {
	files, err := d.onFiles()
	if err != nil || opts == nil {
		return files, nil, err
	}
	full, err := opts.withDefaults()
	return files, &full, err
}

// SetHistory is Doc.SetHistory for all documents that are in the directory of a DB and
// beneath it, those of later too, also if they had settings of their own. A directory that
// the store makes has the switch of the one in which it is made; one that another program
// makes does not.
func (db *DB) SetHistory(ctx context.Context, opts *HistoryOptions) error {
	files, full, err := db.Doc("any").forHistory(opts)
	if err == nil && db.single {
		err = fmt.Errorf("%w: it is one document; use Doc.SetHistory", ErrUnsupported)
	}
	if err == nil {
		err = files.setAll(ctx, ".", full)
	}
	if err != nil {
		return &Error{"history", db.listed(""), err}
	}
	return nil
}

// HistoryOptions returns which versions of the document are kept, and whether they are. A
// Keep of 0 is no limit then. If the switch cannot be read, the error says so, and all
// versions are kept.
func (d *Doc) HistoryOptions() (opts HistoryOptions, on bool, err error) {
	files, err := d.onFiles()
	if err == nil {
		err = files.following(d.key, func(path string) error {
			info, err := files.files.Lstat(path)
			if err == nil {
				err = checkRegular(info)
			}
			if ignoreNotExist(err) != nil {
				return err
			}
			s, err := files.switchOf(path)
			if s != nil {
				if of := s.of(filepath.Base(path)); of != nil {
					opts, on = *of, true
				}
			}
			return err
		})
	}
	if err != nil {
		return opts, on, d.error("history", err)
	}
	return opts, on, nil
}

// setSwitch changes the switch of the directory of the document at path.
func (d *fileDriver) setSwitch(ctx context.Context, path string, change func(*switchFile)) error {
	name := names.HistorySwitch(path)
	dir, err := d.files.Lstat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if info, err := d.files.Lstat(name); err == nil {
		if ok, err := d.believes(path, info, 0); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%s %w: another user may have made it; remove it",
				name, errNotBelieved))
		}
	}
	opts := *d.opts
	opts.LockPath, opts.KeepLast, opts.GuardForeign = "", false, false
	// It grows with the documents that have settings of their own.
	opts.MaxSize = DefaultMaxSize
	opts.Durability, opts.Perm = Durable, dir.Mode.Perm()&0o666|0o600 // for all who write there
	own := &fileDriver{files: d.files, single: name, opts: &opts,
		shared: &fileShared{stats: &counters{}}}
	own.shared.locks.init(d.files, own.shared.stats, "")
	own.shared.besides.init(d.files, own.shared.stats, "")
	own.shared.home, own.shared.hasHome = d.shared.home, d.shared.hasHome
	defer own.shared.locks.table.Close()
	defer own.shared.besides.table.Close()
	doc := &Doc{db: newDB(own, &opts, own.shared.stats), opts: &opts, key: name, name: name}
	doc.drv = doc.db.drv
	_, err = doc.retry(ctx, func(old docState) (docState, error) {
		s := &switchFile{}
		if old.exists && len(old.data) > 0 {
			var err error
			if s, err = parseSwitch(old.data); err != nil {
				return docState{}, fmt.Errorf("%s is no switch of a history: %w; remove it", name,
					err)
			}
		}
		change(s)
		if s.All == nil {
			for base, e := range s.Documents {
				if e.Off {
					delete(s.Documents, base)
				}
			}
		}
		if s.All == nil && len(s.Documents) == 0 {
			return docState{}, nil
		}
		data, err := json.Marshal(s)
		return docState{data: append(data, '\n'), exists: true}, err
	})
	return err
}

// setHistory switches the history of one document.
func (d *fileDriver) setHistory(ctx context.Context, key string, opts *HistoryOptions) error {
	return d.following(key, func(path string) error {
		info, err := d.files.Lstat(path)
		if err == nil {
			err = checkRegular(info) // a link is followed
		}
		if ignoreNotExist(err) != nil {
			return err
		}
		err = d.setSwitch(ctx, path, func(s *switchFile) {
			base := filepath.Base(path)
			if s.Documents == nil {
				s.Documents = map[string]*switchEntry{}
			}
			if s.Documents[base] = entryOf(opts); opts == nil {
				s.Documents[base] = &switchEntry{Off: true}
			}
		})
		if err == nil {
			err = d.outlastBeliefs(ctx)
		}
		if err != nil {
			return err
		}
		return d.passLock(ctx, path)
	})
}

// outlastBeliefs waits. Then only a writer that has a lock already may act on what it has seen
// before.
func (d *fileDriver) outlastBeliefs(ctx context.Context) error {
	if err := d.files.Pause(ctx, believedFor); err != nil {
		return errUnderWay(err)
	}
	return nil
}

func errUnderWay(err error) error {
	return fmt.Errorf("it is switched, but a writer that is under way may not know it: %w", err)
}

// passLock takes the lock of a document for a moment, if there is one. Writers that have
// looked at the switch before are then done.
func (d *fileDriver) passLock(ctx context.Context, path string) error {
	_, err := d.files.Lstat(d.shared.locks.pathOf(path))
	if err != nil {
		return ignoreNotExist(err)
	}
	how := locking{perm: d.opts.Perm, like: d.lockedInfo(path), wait: d.opts.LockWait,
		guards: true}
	held, err := d.shared.locks.acquire(ctx, path, how)
	if err != nil {
		return errUnderWay(err)
	}
	held.unlock()
	return nil
}

// setAll switches the history of all documents in a directory and beneath it.
func (d *fileDriver) setAll(ctx context.Context, dir string, opts *HistoryOptions) error {
	// A directory that is made after the one above it was listed inherits the switch.
	err := d.eachDirectory(dir, func(dir string) ([]fsys.Entry, error) {
		inside := filepath.Join(dir, "any") // a document in dir
		err := d.setSwitch(ctx, inside, func(s *switchFile) {
			s.All, s.Documents = entryOf(opts), nil
		})
		if err != nil {
			return nil, err
		}
		return d.files.ReadDir(dir)
	})
	if err == nil {
		err = d.outlastBeliefs(ctx)
	}
	if err != nil {
		return err
	}
	return d.eachDirectory(dir, func(dir string) ([]fsys.Entry, error) {
		entries, err := d.files.ReadDir(dir)
		for _, entry := range entries {
			document, locked := lockedDocument(entry.Name)
			if names.HasLong(entry.Name) { // whose lock file does not say it
				document, locked = entry.Name, true
			}
			if err == nil && locked && !names.IsHistorySwitch(document) {
				err = d.passLock(ctx, filepath.Join(dir, document))
			}
		}
		return entries, err
	})
}

// eachDirectory calls do, which returns the entries of a directory, for this one and all
// beneath it that are no hidden ones.
func (d *fileDriver) eachDirectory(dir string, do func(string) ([]fsys.Entry, error)) error {
	entries, err := do(dir)
	for _, entry := range entries {
		if err == nil && entry.Type.IsDir() && !strings.HasPrefix(entry.Name, ".") {
			err = d.eachDirectory(filepath.Join(dir, entry.Name), do)
		}
	}
	return err
}
