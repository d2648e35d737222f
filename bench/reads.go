// Reads, and whole commands.

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
func (c config) reads(top string) (string, error) {
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
		fmt.Fprintf(&b, "#### reads of %s bytes\n\n| | a read takes | x %s |\n| --- | ---: | ---: |\n", thousands(float64(size)), all[0].name)
		for i, r := range all {
			fmt.Fprintf(&b, "| %s | %s | %.2f |\n", r.name, duration(time.Duration(median(nanoseconds[i]))), median(nanoseconds[i])/stat)
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
		if err := writeFile(path, load.Document(size)); err != nil {
			return nil, nil, err
		}
	}
	// A handle keeps nothing of a file that has just been changed, as this one always seems to have been.
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(fresh, future, future); err != nil {
		return nil, nil, err
	}
	doc, err := store.OpenFile(fresh, nil)
	if err != nil {
		return nil, nil, err
	}
	time.Sleep(100 * time.Millisecond) // until the other one has not just been changed
	all = []reader{
		{"os.Lstat", func() error { _, err := os.Lstat(path); return err }},
		{"os.ReadFile", func() error { _, err := os.ReadFile(path); return err }},
		{"jsonstore, the first read", func() error { _, _, err := doc.Read(background); return err }},
		{"jsonstore, opened for one read", func() error {
			doc, err := store.OpenFile(path, nil)
			if err != nil {
				return err
			}
			_, _, err = doc.Read(background)
			return errors.Join(err, doc.Close())
		}},
	}
	handles := []handle{ours{doc}}
	for _, p := range peers() {
		if p.name != "jsonstore" && !strings.HasPrefix(p.name, "SQLite") && p.name != "bbolt Update" {
			continue
		}
		s := setting{Path: path, Durability: store.Durable}
		if p.create != nil {
			s.Path += "." + strings.Fields(p.name)[0] + fmt.Sprint(len(all))
			if err := p.create(s.Path, load.Document(size)); err != nil {
				return nil, nil, err
			}
		}
		h, err := p.open(s)
		if err != nil {
			return nil, nil, err
		}
		handles = append(handles, h)
		name := map[string]string{"jsonstore": "jsonstore, unchanged", "bbolt Update": "bbolt View"}[p.name]
		if name == "" {
			name = p.name
		}
		all = append(all, reader{name, func() error { _, err := h.Read(); return err }})
	}
	return all, func() {
		for _, h := range handles {
			h.Close()
		}
		os.RemoveAll(dir)
	}, nil
}

// commands measures whole processes, one after the other.
func (c config) commands(top string) (string, error) {
	program, err := built(top)
	if err != nil {
		return "", fmt.Errorf("build the command: %w", err)
	}
	ours, plain := filepath.Join(top, "ours.json"), filepath.Join(top, "plain.json")
	for _, path := range []string{ours, plain} {
		if err := writeFile(path, load.Document(200)); err != nil {
			return "", err
		}
	}
	const expression = ".count += 1"
	type command struct {
		name string
		args []string
	}
	all := []command{
		{"jsonstore update, durable", []string{program, "update", ours, "--expr", expression}},
		{"jsonstore update, ordered", []string{program, "update", ours, "--expr", expression, "--sync", "ordered"}},
		{"jsonstore update, volatile", []string{program, "update", ours, "--expr", expression, "--sync", "volatile"}},
		{"jsonstore get", []string{program, "get", ours, "count"}},
	}
	if jq, err := exec.LookPath("jq"); err == nil {
		all = slices.Insert(all, 0,
			command{"jq, to nowhere", []string{jq, expression, plain}},
			command{"jq > tmp && mv", []string{"sh", "-c", `jq "$1" "$2" > "$2.tmp" && mv "$2.tmp" "$2"`, "sh", expression, plain}})
	}
	runs := max(3, int(c.time/(5*time.Millisecond)))
	times := make([][]float64, len(all))
	for range runs {
		for i, command := range all {
			begin := time.Now()
			if out, err := exec.Command(command.args[0], command.args[1:]...).CombinedOutput(); err != nil {
				return "", fmt.Errorf("%s: %w: %s", command.name, err, out)
			}
			times[i] = append(times[i], float64(time.Since(begin)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#### whole commands, 200 bytes, medians of %d\n\n| | takes | x %s |\n| --- | ---: | ---: |\n", runs, all[0].name)
	for i, command := range all {
		fmt.Fprintf(&b, "| %s | %s | %.2f |\n", command.name, duration(time.Duration(median(times[i]))), median(times[i])/median(times[0]))
	}
	return b.String() + "\n", nil
}

// goBuild builds the command as it is released.
func goBuild(program string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./cmd/jsonstore")
	cmd.Dir = ".." // of the directory of this module, where go run is called
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
