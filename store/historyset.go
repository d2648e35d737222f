// Switching the history of documents on and off.

package store

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
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
// If SetHistory ends while it waits for a lock, the error says that it is switched all the
// same. It is ErrUnsupported where documents are not files.
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
