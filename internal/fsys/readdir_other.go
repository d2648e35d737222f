//go:build !linux

package fsys

func (s system) ReadDir(name string) ([]Entry, error) {
	dir, err := s.openDir(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	found, err := dir.ReadDir(-1)
	entries := make([]Entry, len(found))
	for i, entry := range found {
		entries[i] = Entry{Name: entry.Name(), Type: entry.Type()}
	}
	return entries, err
}
