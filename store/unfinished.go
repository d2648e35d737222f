// The intent of a transaction that is not finished, described for people.

package store

import "github.com/jsonstore/jsonstore/internal/names"

// IntentState is how far the transaction is whose intent is beside a document.
type IntentState int

const (
	// NoIntent: no transaction has an intent beside the document.
	NoIntent IntentState = iota
	// IntentPending: the transaction is not committed. If its process is dead, the next
	// writer removes the intent, and nothing of the transaction is done.
	IntentPending
	// IntentCommitted: the transaction is committed. Readers of the store see its versions. If
	// its process is dead, the next writer puts them in their places.
	IntentCommitted
	// IntentVoid: the intent is not a whole one, or its home document has no intent of the
	// transaction: that was undone, or is not committed. The next writer removes it.
	IntentVoid
)

func (s IntentState) String() string {
	switch s {
	case NoIntent:
		return "none"
	case IntentPending:
		return "pending"
	case IntentCommitted:
		return "committed"
	}
	return "void"
}

// IntentInfo describes the intent of a transaction beside a document.
type IntentInfo struct {
	State IntentState
	Path  string // of the intent, absolute
	// ID is that of the transaction, 32 hexadecimal digits; Home is the absolute path of the
	// document whose intent decides whether it is committed. Both are empty if the intent is
	// not a whole one.
	ID, Home string
	// Alive is true if the document's lock is held: then the transaction may be under way.
	Alive bool
}

// Intent describes the intent that a transaction has beside the document while it is
// committed, and leaves there if its process dies. It takes no lock, and changes nothing. It
// is an error if the home of the transaction cannot be reached. It is ErrUnsupported where
// documents are not files.
func (d *Doc) Intent() (IntentInfo, error) {
	info := IntentInfo{}
	files, err := d.onFiles()
	if err == nil {
		err = files.following(d.key, func(path string) error {
			if info, err := files.files.Lstat(path); err == nil && info.Mode.Type() != 0 {
				return checkRegular(info) // ErrSymlink for a link, so that it is followed
			}
			info, err = files.describeIntent(path)
			return err
		})
	}
	if err != nil {
		return IntentInfo{}, d.error("intent", err)
	}
	for _, path := range []*string{&info.Path, &info.Home} {
		if *path != "" {
			*path = d.absolute(*path)
		}
	}
	return info, nil
}

func (d *fileDriver) describeIntent(path string) (info IntentInfo, err error) {
	for {
		found, err := d.intentAt(path)
		if err != nil || !found.there {
			return IntentInfo{}, err
		}
		info = IntentInfo{State: IntentVoid, Path: names.Intent(path)}
		if in := found.in; in != nil {
			if err := d.describeHome(path, in, &info); err != nil {
				return IntentInfo{}, err
			}
		}
		// A lock file that this user may not read says nothing.
		if info.Alive, err = d.sidecars().held(path); err != nil || info.Alive {
			return info, nil
		}
		// Its process may have finished it before the lock was looked at.
		again, err := d.intentAt(path)
		if err != nil || again.there && again.raw == found.raw {
			return info, err
		}
	}
}

// describeHome finds out what the home of a transaction says.
func (d *fileDriver) describeHome(path string, in *intent, info *IntentInfo) error {
	info.ID, info.Home = in.id, path
	home := foundIntent{there: true, in: in}
	if in.home != "" {
		var err error
		if info.Home, err = d.beside(path, in.home); err != nil {
			return err
		}
		if home, err = d.intentAt(info.Home); err != nil {
			return err
		}
	}
	switch _, of := in.changeIn(home.in); {
	case !home.isHomeOf(in.id) || !of:
	case home.in.committed:
		info.State = IntentCommitted
	default:
		info.State = IntentPending
	}
	return nil
}
