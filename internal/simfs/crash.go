// Power cuts: the state on the device, and the states that may be found after a cut.
//
// There are two models of file systems; the store must survive both:
//
//   - Ordered, as with a journal: changes of names, and of sizes alone, reach the device in
//     order, and any flush, of a file or a directory, makes all changes before it durable.
//   - Weak, as little as POSIX promises: each change since the last flush of its
//     directory, or of the file if its size has changed, survives or not, independent of
//     the others, but always as a whole. The
//     content of a lost directory is lost. Removals can be lost like creations: a name
//     comes back. A symbolic link may be lost although its directory was flushed, if the
//     file system is such a one.
//
// In both, an unflushed file has any of the contents that file systems were seen to
// leave.

package simfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
)

// Model is a model of power cuts.
type Model int

const (
	Ordered Model = iota
	Weak
	models = iota
)

func (m Model) String() string { return []string{"ordered", "weak"}[m] }

// disk is the state on the device in one model.
type disk struct {
	names   map[string]*inode
	pending [][]assignment // changes of names that may be lost
}

// flush makes changes of names durable: some, or all.
func (d *disk) flush(which func(change []assignment) bool) {
	var others [][]assignment
	for _, change := range d.pending {
		if !which(change) {
			others = append(others, change)
			continue
		}
		for _, n := range apply(d.names, change) {
			n.synced = true
		}
	}
	d.pending = others
}

func every([]assignment) bool { return true }

// pend adds changes, all at once, to those that may be lost.
func (w *World) pend(change []assignment) {
	for i := range w.disks {
		w.disks[i].pending = append(w.disks[i].pending, change)
	}
}

// apply applies a change, and returns the inodes whose content becomes reachable with
// it.
func apply(names map[string]*inode, change []assignment) (known []*inode) {
	for _, c := range change {
		switch {
		case c.name == contentOf:
			known = append(known, c.to)
		case c.name == sizeOf:
		case c.to == nil:
			delete(names, c.name)
		default:
			names[c.name] = c.to
		}
	}
	return known
}

// syncData writes the content of a file to the device. The block addresses become
// durable with the next change of names, or flush, in the journal; without one, nothing
// is promised.
func (w *World) syncData(n *inode) {
	n.written = true
	if !n.synced {
		w.disks[Ordered].pending = append(w.disks[Ordered].pending, []assignment{{contentOf, n}})
	}
}

// The names in an assignment that makes an inode's block addresses durable, and the size to
// which it has grown.
const (
	contentOf = ""
	sizeOf    = "size"
)

// syncFile makes the content of a file durable, and with an ordered journal all changes
// of names so far.
func (w *World) syncFile(n *inode) {
	n.synced = true
	w.disks[Ordered].flush(every)
	weak := &w.disks[Weak]
	weak.pending = slices.DeleteFunc(slices.Clone(weak.pending), func(change []assignment) bool {
		return change[0] == assignment{sizeOf, n}
	})
}

// syncNames makes the changes of names in a directory durable; with an ordered journal,
// all others too.
func (w *World) syncNames(dir string) {
	w.disks[Ordered].flush(every)
	w.disks[Weak].flush(func(change []assignment) bool { // each is in one directory
		first := change[0]
		lost := w.losesLinks() && first.to != nil && first.to.mode&fs.ModeSymlink != 0 &&
			w.names[first.name] == first.to
		return filepath.Dir(first.name) == dir && !lost
	})
}

// losesLinks reports whether the flush of a directory leaves out the symbolic links in it, as
// that of ext4 without a journal does.
func (w *World) losesLinks() bool { return w.Kind == "ext4" && !w.Journal }

// diskHash distinguishes worlds that a power cut would leave in different states.
func (w *World) diskHash(seed maphash.Seed) uint64 {
	var buf []byte
	inode := func(name string, n *inode) {
		buf = append(append(buf, name...), 0)
		if n != nil {
			buf = binary.AppendUvarint(buf, uint64(len(n.data)))
			buf = append(buf, n.data...)
			if n.synced {
				buf = append(buf, 1)
			} else {
				buf = binary.AppendUvarint(buf, uint64(len(n.durable)))
				buf = append(buf, n.durable...)
			}
		}
	}
	for i := range w.disks {
		for _, name := range slices.Sorted(maps.Keys(w.disks[i].names)) {
			inode(name, w.disks[i].names[name])
		}
		for _, change := range w.disks[i].pending {
			buf = append(buf, '|')
			for _, c := range change {
				inode(c.name, c.to)
			}
		}
	}
	return maphash.Bytes(seed, buf)
}

// maxPending bounds the changes that may be lost: each one doubles the number of
// states.
const maxPending = 16

// ErrTooMany is what AfterPowerCut returns in the weak model if there are too many changes.
var ErrTooMany = errors.New("changes are not on the device, too many to try all subsets")

// AfterPowerCut calls found with each file system, without processes, that a power cut
// now may leave, until it returns an error.
func (w *World) AfterPowerCut(model Model, found func(*World) error) error {
	d := &w.disks[model]
	if model == Weak && len(d.pending) > maxPending {
		return fmt.Errorf("%d %w; make the scenario shorter", len(d.pending), ErrTooMany)
	}
	tried := map[uint64]bool{}
	remains := func(survives func(i int) bool) error {
		names := maps.Clone(d.names)
		var known, ungrown []*inode
		for i, change := range d.pending {
			switch {
			case survives(i):
				known = append(known, apply(names, change)...)
			case change[0].name == sizeOf:
				ungrown = append(ungrown, change[0].to)
			}
		}
		w.reach(names)
		return w.contents(names, known, ungrown, func(after *World) error {
			h := after.hash(processSeed)
			if tried[h] {
				return nil
			}
			tried[h] = true
			return found(after)
		})
	}
	if model == Ordered {
		for length := range len(d.pending) + 1 {
			if err := remains(func(i int) bool { return i < length }); err != nil {
				return err
			}
		}
		return nil
	}
	for subset := range 1 << len(d.pending) {
		if err := remains(func(i int) bool { return subset&(1<<i) != 0 }); err != nil {
			return err
		}
	}
	return nil
}

// reach drops the names whose directory does not exist.
func (w *World) reach(names map[string]*inode) {
	for _, name := range slices.Sorted(maps.Keys(names)) { // a directory before its content
		dir := filepath.Dir(name)
		if n := names[dir]; dir != w.Root && (n == nil || !n.mode.IsDir()) {
			delete(names, name)
		}
	}
}

// contents calls found with a world for each combination of contents that the files
// with these names may have. Known files have their own content; of ungrown ones the last growth
// is lost.
func (w *World) contents(
	names map[string]*inode, known, ungrown []*inode, found func(*World) error,
) error {
	var files []*inode
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Contains(files, names[name]) {
			files = append(files, names[name])
		}
	}
	possible := make([][][]byte, len(files))
	for i, n := range files {
		written := n.data[:len(n.data)-n.grown]
		if possible[i] = n.leftovers(written); slices.Contains(known, n) {
			possible[i] = [][]byte{written}
		}
		if n.grown > 0 && !slices.Contains(ungrown, n) {
			for j, content := range possible[i] { // the size is there in any case
				possible[i][j] = append(bytes.Clone(content),
					make([]byte, len(n.data)-len(content))...)
			}
		}
	}
	chosen := make([]int, len(files))
	for {
		after := New()
		after.Clock, after.Step, after.Journal, after.Quiet = w.Clock, w.Step, w.Journal, w.Quiet
		after.Sticky, after.Root, after.Kind = w.Sticky, w.Root, w.Kind
		for i, n := range files {
			// Files keep their inode numbers, except that two cannot share one.
			number := n.number
			for slices.ContainsFunc(after.live, func(m *inode) bool { return m.number == number }) {
				number++
			}
			copied := &inode{number: number, mode: n.mode, uid: n.uid, mtime: n.mtime,
				ctime: n.ctime, data: possible[i][chosen[i]], synced: true}
			after.live = append(after.live, copied)
			for name, is := range names {
				if is == n {
					copied.links++
					after.names[name] = copied
					for j := range after.disks {
						after.disks[j].names[name] = copied
					}
				}
			}
		}
		if err := found(after); err != nil {
			return err
		}
		i := 0
		for ; i < len(chosen); i++ {
			if chosen[i]++; chosen[i] < len(possible[i]) {
				break
			}
			chosen[i] = 0
		}
		if i == len(chosen) {
			return nil
		}
	}
}

// leftovers are the contents that a file may have after a power cut, to which data was
// written.
func (n *inode) leftovers(data []byte) [][]byte {
	switch {
	case n.synced || len(data) == 0 && len(n.durable) == 0:
		return [][]byte{data}
	case !n.grows:
		return [][]byte{data, {}, data[:len(data)/2], bytes.Repeat([]byte{0}, len(data))}
	}
	if bytes.HasPrefix(data, n.durable) {
		return after(n.durable, data[len(n.durable):])
	}
	// It was truncated, and perhaps written to again. The size may be the old one, beside new
	// content.
	kept := 0
	for kept < min(len(data), len(n.durable)) && data[kept] == n.durable[kept] {
		kept++
	}
	longer := max(len(data), len(n.durable))
	padded := append(bytes.Clone(data), make([]byte, longer-len(data))...)
	return append(after(data[:kept], data[kept:]), n.durable, padded)
}

// after are the contents that a file may have whose first part is on the device, and the rest is
// not: blocks that were not written are zeros, whatever comes after them.
func after(durable, rest []byte) (all [][]byte) {
	half := len(rest) / 2
	zeros := make([]byte, len(rest))
	for _, left := range [][]byte{rest, {}, rest[:half], zeros,
		append(zeros[:half:half], rest[half:]...)} {
		all = append(all, append(bytes.Clone(durable), left...))
	}
	return all
}
