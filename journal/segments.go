// The names of a journal's files. Beside the live file NAME there are
//
//	NAME.<20 digits>-<20 digits>     a segment: the numbers of its first and last record
//	NAME.<20 digits>-<20 digits>.gz  the same, compressed
//	.NAME.lock                       the lock file; its modification time is that at which
//	                                 the live file was made
//	.NAME.gz.tmp                     a segment that is being compressed
//	.NAME.torn.tmp                   a torn tail that is being moved aside
//	.NAME.<20 digits>.torn           a torn tail that was; the number is that of the record
//	                                 that came in its place
//
// The digits are decimal.

package journal

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jsonstore/jsonstore/internal/names"
)

const (
	digits     = 20
	gzSuffix   = ".gz"
	tornSuffix = ".torn"

	// MaxName is the largest length of a journal's file name in bytes.
	MaxName = 200
)

// Segment is a part of a journal that gets no more records.
type Segment struct {
	Path        string
	First, Last uint64 // the numbers of its records
	Compressed  bool
}

// name is the name of an uncompressed segment of the journal NAME.
func segmentName(name string, first, last uint64) string {
	return fmt.Sprintf("%s.%0*d-%0*d", name, digits, first, digits, last)
}

// parseSegment is the inverse of segmentName, for compressed ones too.
func parseSegment(name, entry string) (s Segment, ok bool) {
	rest, ok := strings.CutPrefix(entry, name+".")
	if !ok {
		return s, false
	}
	rest, s.Compressed = strings.CutSuffix(rest, gzSuffix)
	first, last, ok := strings.Cut(rest, "-")
	if !ok || len(first) != digits || len(last) != digits {
		return s, false
	}
	var firstErr, lastErr error
	s.First, firstErr = strconv.ParseUint(first, 10, 64)
	s.Last, lastErr = strconv.ParseUint(last, 10, 64)
	return s, firstErr == nil && lastErr == nil && s.First > 0 && s.First <= s.Last
}

func (j *Journal) beside(suffix string) string {
	dir, base := filepath.Split(j.path)
	return dir + "." + base + suffix
}

func (j *Journal) lockPath() string { return names.Lock(j.path) }
func (j *Journal) gzTemp() string   { return j.beside(gzSuffix + ".tmp") }
func (j *Journal) tornTemp() string { return j.beside(tornSuffix + ".tmp") }

// tornName is the name of the nth torn tail before a record.
func (j *Journal) tornName(seq uint64, n int) string {
	if n == 0 {
		return j.beside(fmt.Sprintf(".%0*d%s", digits, seq, tornSuffix))
	}
	return j.beside(fmt.Sprintf(".%0*d.%d%s", digits, seq, n, tornSuffix))
}

// list returns the segments in the order of their numbers, an uncompressed one before its
// compressed copy. A name that appears while another one disappears can be missed by a
// reading of the directory. Two readings that agree have missed none, since each of them
// would have had to miss the same segment.
func (j *Journal) list() ([]Segment, error) {
	before, err := j.listOnce()
	for err == nil {
		var again []Segment
		if again, err = j.listOnce(); err == nil && slices.Equal(before, again) {
			return again, nil
		}
		before = again
	}
	return nil, err
}

func (j *Journal) listOnce() ([]Segment, error) {
	dir, base := filepath.Dir(j.path), filepath.Base(j.path)
	entries, err := j.files.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []Segment
	for _, entry := range entries {
		if s, ok := parseSegment(base, entry.Name); ok && entry.Type == 0 {
			s.Path = filepath.Join(dir, entry.Name)
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last),
			cmp.Compare(len(a.Path), len(b.Path)))
	})
	return found, nil
}

// next is the number that follows those of the segments.
func next(segments []Segment) uint64 {
	last := uint64(0)
	for _, s := range segments {
		last = max(last, s.Last)
	}
	return last + 1
}
