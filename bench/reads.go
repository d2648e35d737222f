// Reads of one document.

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// reader is one way to read.
type reader struct {
	name string
	read func() error
}

// reads measures reads of a document that does not change, in this process, one after the other.
func (c config) reads(top, _ string) (string, error) {
	var b strings.Builder
	for _, size := range c.sizes {
		all, closeAll, err := readers(top, size)
		if err != nil {
			return "", err
		}
		nanoseconds := make([][]float64, len(all))
		for range c.rounds {
			for _, at := range rand.Perm(len(all)) {
				n, begin := 0, time.Now()
				for time.Since(begin) < c.time/2 {
					for range 10 {
						if err := all[at].read(); err != nil {
							return "", fmt.Errorf("%s: %w", all[at].name, err)
						}
					}
					n += 10
				}
				nanoseconds[at] = append(nanoseconds[at], float64(time.Since(begin))/float64(n))
			}
		}
		closeAll()
		stat := median(nanoseconds[0])
		fmt.Fprintf(&b, "#### reads of %s bytes\n\n", thousands(float64(size)))
		fmt.Fprintf(&b, "| | a read takes | x %s |\n| --- | ---: | ---: |\n", all[0].name)
		for i, r := range all {
			takes := median(nanoseconds[i])
			fmt.Fprintf(&b, "| %s | %s | %.2f |\n", r.name, duration(time.Duration(takes)),
				takes/stat)
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func readers(top string, size int) (all []reader, closeAll func(), err error) {
	dir, err := os.MkdirTemp(top, "reads-")
	if err != nil {
		return nil, nil, err
	}
	path, fresh := filepath.Join(dir, "document.json"), filepath.Join(dir, "fresh.json")
	for _, path := range []string{path, fresh} {
		if err := os.WriteFile(path, load.Document(size), 0o600); err != nil {
			return nil, nil, err
		}
	}
	// A handle does not keep a file that has just been changed, which this one always seems to be.
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(fresh, future, future); err != nil {
		return nil, nil, err
	}
	doc, err := store.OpenFile(fresh, nil)
	if err != nil {
		return nil, nil, err
	}
	time.Sleep(100 * time.Millisecond) // for the other file to be old enough
	all = []reader{
		{"os.Lstat", func() error { _, err := os.Lstat(path); return err }},
		{"os.ReadFile", func() error { _, err := os.ReadFile(path); return err }},
		{"jsonstore, the first read", func() error {
			_, _, err := doc.Read(background)
			return err
		}},
		{"jsonstore, opened for one read", func() error {
			doc, err := store.OpenFile(path, nil)
			if err != nil {
				return err
			}
			_, _, err = doc.Read(background)
			return errors.Join(err, doc.Close())
		}},
	}
	handles := []handle{ours{[]*store.Doc{doc}, doc}}
	for _, p := range peers() {
		if p.name != "jsonstore" && !strings.HasPrefix(p.name, "SQLite") &&
			p.name != "bbolt Update" {
			continue
		}
		s := setting{Path: path, Documents: 1, Durability: store.Durable}
		if p.create != nil {
			s.Path += "." + strings.Fields(p.name)[0] + fmt.Sprint(len(all))
			if err := p.create(s, load.Document(size)); err != nil {
				return nil, nil, err
			}
		}
		h, err := p.open(s)
		if err != nil {
			return nil, nil, err
		}
		handles = append(handles, h)
		name := p.name
		switch name {
		case "jsonstore":
			name = "jsonstore, unchanged"
		case "bbolt Update":
			name = "bbolt View"
		}
		all = append(all, reader{name, func() error { _, err := h.Read(0); return err }})
	}
	return all, func() {
		for _, h := range handles {
			h.Close()
		}
		os.RemoveAll(dir)
	}, nil
}
