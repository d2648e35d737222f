// What one document costs in a directory of many.

package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

// cost is something that a user does with a directory of documents.
type cost struct {
	name  string
	times int // in each round, so that the short ones are measured as well as the long ones
	do    func(d *directory) (time.Duration, error)
}

var costs = []cost{
	{"open and close the store", 20, (*directory).open},
	{"list all keys", 1, (*directory).list},
	{"first read of a document", 20, (*directory).firstRead},
	{"second read of it", 20, (*directory).secondRead},
	{"one durable update by the command", 10, (*directory).update},
}

// directory is a directory of documents.
type directory struct {
	setting setting
	path    string
	program string

	db      *store.DB
	next    int   // the document to read, which changes with each first read
	updated []int // the documents that were updated, as often as that was acknowledged
}

// fillDirectory makes a directory of n documents.
func fillDirectory(top, program string, n int) (*directory, error) {
	path, err := os.MkdirTemp(top, "directory-")
	if err != nil {
		return nil, err
	}
	d := &directory{path: path, program: program}
	d.setting = setting{Path: filepath.Join(path, "-"), Documents: n, Durability: store.Durable}
	if err := writeFiles(d.setting, load.Document(200)); err != nil {
		return nil, err
	}
	// A handle keeps no file that has just been written, and these are to be kept.
	time.Sleep(100 * time.Millisecond)
	return d, nil
}

func (d *directory) open() (time.Duration, error) {
	begin := time.Now()
	db, err := store.Open(d.path, nil)
	if err != nil {
		return 0, err
	}
	err = db.Close()
	return time.Since(begin), err
}

func (d *directory) list() (time.Duration, error) {
	begin, n := time.Now(), 0
	for _, err := range d.db.Keys(background, "") {
		if err != nil {
			return 0, err
		}
		n++
	}
	last := time.Since(begin)
	if n != d.setting.Documents {
		return 0, fmt.Errorf("%d keys of %d documents were listed", n, d.setting.Documents)
	}
	return last, nil
}

func (d *directory) firstRead() (time.Duration, error) {
	d.next = (d.next + 7919) % d.setting.Documents
	return d.secondRead()
}

func (d *directory) secondRead() (time.Duration, error) {
	doc := d.db.Doc(documentName(d.next))
	begin := time.Now()
	_, _, err := doc.Read(background)
	return time.Since(begin), err
}

func (d *directory) update() (time.Duration, error) {
	document := rand.IntN(d.setting.Documents)
	begin := time.Now()
	err := execute([]string{
		d.program, "update", documentPath(d.setting, document), "--expr", increment,
	})
	last := time.Since(begin)
	if err == nil {
		d.updated = append(d.updated, document)
	}
	return last, err
}

// lost counts the updates that were acknowledged and are not there.
func (d *directory) lost() (lost int, err error) {
	seen := map[int]bool{}
	for _, document := range d.updated {
		lost++
		if seen[document] {
			continue
		}
		seen[document] = true
		data, err := os.ReadFile(documentPath(d.setting, document))
		if err != nil {
			return 0, err
		}
		n, err := load.Count(data)
		if err != nil {
			return 0, err
		}
		lost -= n
	}
	return lost, nil
}

// measure returns how long each of the costs takes, as the median of all rounds.
func (d *directory) measure(rounds int) ([]time.Duration, error) {
	taken := make([][]float64, len(costs))
	for range rounds {
		// Each round has a handle that has read nothing yet.
		db, err := store.Open(d.path, nil)
		if err != nil {
			return nil, err
		}
		d.db = db
		for n := range 20 {
			for i, cost := range costs {
				if n >= cost.times {
					continue
				}
				last, err := cost.do(d)
				if err != nil {
					return nil, errors.Join(fmt.Errorf("%s: %w", cost.name, err), db.Close())
				}
				taken[i] = append(taken[i], float64(last))
			}
		}
		if err := db.Close(); err != nil {
			return nil, err
		}
	}
	medians := make([]time.Duration, len(costs))
	for i := range costs {
		medians[i] = time.Duration(median(taken[i]))
	}
	return medians, nil
}

// directories measures directories of all sizes, and says how each cost grows.
func (c config) directories(top, program string) (string, error) {
	if len(c.directory) == 0 {
		return "", nil
	}
	taken := make([][]time.Duration, len(costs)) // by cost, then by size
	for _, n := range c.directory {
		fmt.Fprintf(os.Stderr, "bench: a directory of %s documents\n", thousands(float64(n)))
		d, err := fillDirectory(top, program, n)
		if err != nil {
			return "", err
		}
		medians, err := d.measure(c.rounds)
		if err != nil {
			return "", fmt.Errorf("a directory of %d documents: %w", n, err)
		}
		if lost, err := d.lost(); err != nil || lost != 0 {
			return "", fmt.Errorf("a directory of %d documents: %d of %d updates are lost (%v)",
				n, lost, len(d.updated), err)
		}
		if err := os.RemoveAll(d.path); err != nil {
			return "", err
		}
		for i := range costs {
			taken[i] = append(taken[i], medians[i])
		}
	}
	var b strings.Builder
	b.WriteString("#### a directory of documents of 200 bytes\n\n|")
	for _, n := range c.directory {
		fmt.Fprintf(&b, " | %s", thousands(float64(n)))
	}
	b.WriteString(" | grows |\n| ---" + strings.Repeat(" | ---:", len(c.directory)) + " | --- |\n")
	first, last := 0, len(c.directory)-1
	for i, cost := range costs {
		fmt.Fprintf(&b, "| %s", cost.name)
		for _, t := range taken[i] {
			fmt.Fprintf(&b, " | %s", duration(t))
		}
		more := float64(c.directory[last]) / float64(c.directory[first])
		longer := float64(taken[i][last]) / float64(taken[i][first])
		fmt.Fprintf(&b, " | %s, x %.2f |\n", growth(more, longer), longer)
	}
	b.WriteByte('\n')
	return b.String(), nil
}

// growth says how a cost grows that takes longer by some factor where there are more documents
// by another: the exponent of the power that leads from one to the other is 0 for a cost that
// does not depend on the number of documents, 1 for one that is in proportion to it.
func growth(more, longer float64) string {
	if more <= 1 {
		return "not measured"
	}
	exponent := math.Log(longer) / math.Log(more)
	switch {
	case exponent < 0.15:
		return "flat"
	case exponent < 0.75:
		return fmt.Sprintf("with the power %.2f", exponent)
	case exponent < 1.25:
		return "linear"
	}
	return fmt.Sprintf("faster than linear, with the power %.2f", exponent)
}
