// Versions by modification time, and the rules that make them safe.
//
// Time, size and inode number alone do not distinguish two versions: clocks tick in
// steps of milliseconds, and a file system reuses a freed inode number at once. So
//
//   - every write of the store, with any kind of version, stamps the staged file with a
//     time later than that of the version it replaces (stamp);
//   - an update keeps the version that it read open until it has published, so that the
//     inode number is not reused meanwhile (attempt);
//   - the inode's generation is part of the version where the system reports it;
//   - the bytes of a young version are compared too, since a program may have written
//     after the read within one step of the clock (unchanged);
//   - on a file system with coarse times the kind is refused, and VersionAuto takes it only
//     where the clock was seen to advance between any two writes (chooseMode).

package store

import (
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// coarse is the smallest step of a file system's times that is unusable for versions.
const coarse = int64(time.Microsecond)

// kind is the kind of version that documents have in a mode other than VersionAuto.
func (m VersionMode) kind() byte {
	if m == VersionMtime {
		return driver.KindMtime
	}
	return driver.KindHash
}

func mtimeVersion(info fsys.Info, file fsys.File) driver.Version {
	var generation uint64
	known := false
	if file != nil {
		generation, known = file.Generation()
	}
	return driver.MtimeVersion(info.Mtime, info.Size, info.Ino, generation, known)
}

// stamp gives a staged file a time later than after, the time of the version that it is
// to replace, and looks at the time that the file system kept. The step is a
// nanosecond, or a microsecond where that was rounded away. Where both were, the times
// are coarse, fine is false, and the file has the current time.
func (s *staged) stamp(after int64) error {
	now := s.files.Now()
	for _, step := range []int64{1, coarse} {
		if isLatest(after) {
			break
		}
		want := max(now, after+step)
		if err := s.setMtime(want); err != nil {
			return err
		}
		if s.fine = isFine(s.info.Mtime, want, after); s.fine {
			return nil
		}
	}
	s.fine = false
	return s.setMtime(now)
}

// isFine reports whether the time that the file system kept is late enough, and about
// the wanted one.
func isFine(kept, want, after int64) bool {
	return kept > after && kept > want-coarse && kept < want+coarse
}

func (s *staged) setMtime(want int64) error {
	if err := s.file.SetMtime(want); err != nil {
		return err
	}
	info, err := s.file.Stat()
	if err == nil {
		s.info = info
	}
	return err
}

// stampUnseen is stamp, but expects the file system to keep a fine time. isReady looks at
// it later, together with the name.
func (s *staged) stampUnseen(after int64) error {
	if isLatest(after) {
		return s.stamp(after)
	}
	want := max(s.files.Now(), after+1)
	if err := s.file.SetMtime(want); err != nil {
		return err
	}
	s.info.Mtime, s.fine = want, true
	return nil
}

// errLatest is the error for a document that already has the latest possible time.
func errLatest(path string) error {
	return fmt.Errorf("%w: the modification time of %s is so far in the future that there is none "+
		"after it for a new version; set it to now, with touch", ErrUnsupported,
		filepath.Base(path))
}

// isLatest reports whether a time may be the latest that a file can have.
func isLatest(ns int64) bool { return ns > math.MaxInt64-2*coarse }

// errCoarse is the error for a directory that cannot have versions by time.
func errCoarse(dir string) error {
	return fmt.Errorf("%w: the file system of %s keeps times too coarse for versions by "+
		"modification time; "+
		"use versions by content hash", ErrUnsupported, dir)
}

// chooseMode chooses the kind of version of the documents of d, for the lifetime of the
// handle. For VersionMtime and VersionAuto it probes the directory: it stamps a
// temporary file. Where it cannot, as in a read-only directory, VersionAuto means
// VersionHash, and VersionMtime is assumed to work: a swap would detect coarse times.
func (d *fileDriver) chooseMode() (VersionMode, error) {
	if d.opts.Versions == VersionHash {
		return VersionHash, nil
	}
	// The probe of a dead process, which is empty. Others may be of use to a broken document.
	d.sweepRow(d.path("any"), 0)
	fine, known := d.timesFine()
	switch {
	case d.opts.Versions == VersionAuto && !(fine && known && d.clockFine()):
		return VersionHash, nil
	case known && !fine:
		return VersionMtime, errCoarse(filepath.Dir(d.path("any")))
	}
	return VersionMtime, nil
}

func (d *fileDriver) timesFine() (fine, known bool) {
	path := d.path("any")
	if info, err := d.files.Lstat(path); err == nil && info.Mtime%coarse != 0 {
		return true, true
	}
	probe, err := d.createStaged(path, defaultPerm)
	if err != nil {
		return false, false
	}
	defer probe.discard()
	// Any step of two microseconds or more rounds this time down by more than one.
	now := d.files.Now()
	want := now - now%int64(time.Second) + 987_655_999
	if err := probe.file.SetMtime(want); err != nil {
		return false, false
	}
	info, err := probe.file.Stat()
	return err == nil && info.Mtime <= want && info.Mtime > want-coarse, err == nil
}

// clockFine reports whether a file's time changed after each of some writes. If not, it
// is the time of a clock with steps of milliseconds.
func (d *fileDriver) clockFine() bool {
	probe, err := d.createStaged(d.path("any"), defaultPerm)
	if err != nil {
		return false
	}
	defer probe.discard()
	last := int64(0)
	for range clockWrites {
		if _, err := probe.file.Write([]byte(".")); err != nil {
			return false
		}
		info, err := probe.file.Stat()
		if err != nil || info.Mtime == last {
			return false
		}
		last = info.Mtime
	}
	return true
}

// clockWrites is the number of writes that are checked. They take some microseconds, so
// a coarse step between two is rare, and between all of them unheard of.
const clockWrites = 8
