// Versions by modification time, and what makes them safe.
//
// By themselves, time, size and inode number do not tell two versions apart: clocks tick
// in steps of milliseconds, and a file system hands a freed inode number out again at once. So
//
//   - every write of ours, whichever kind of version it uses, stamps the staged file with a
//     time later than that of the version it replaces (stamp);
//   - an update keeps the version that it read open until it has published, so that the
//     inode number cannot come back meanwhile (attempt);
//   - the inode's generation is part of the version where the system tells it;
//   - where the version that was read is young, so that a program may have written since
//     within one step of the clock, its bytes are compared too (unchanged);
//   - on a file system with coarse times the kind is refused, and VersionAuto takes it only
//     where the clock was seen to go on between any two writes (chooseMode).

package store

import (
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/internal/fsys"
)

// coarse is the step of a file system's times from which on they do not serve as versions.
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

// stamp gives a staged file a time later than after, the time of the version that it is to
// replace, and returns what the file system made of it. Later means by a
// nanosecond, or by a microsecond where that was rounded away. Where even that
// was, the times are coarse, fine is false, and the file has the time of now.
func stamp(files fsys.FS, file fsys.File, after int64) (info fsys.Info, fine bool, err error) {
	now := files.Now()
	for _, step := range []int64{1, coarse} {
		if isLatest(after) {
			break
		}
		want := max(now, after+step)
		if err := file.SetMtime(want); err != nil {
			return fsys.Info{}, false, err
		}
		if info, err = file.Stat(); err != nil {
			return fsys.Info{}, false, err
		}
		if info.Mtime > after && info.Mtime > want-coarse && info.Mtime < want+coarse {
			return info, true, nil
		}
	}
	if err := file.SetMtime(now); err != nil {
		return fsys.Info{}, false, err
	}
	info, err = file.Stat()
	return info, false, err
}

// errLatest says why a document whose time is the latest that there is has no later one.
func errLatest(path string) error {
	return fmt.Errorf("%w: the modification time of %s is so far in the future that there is none "+
		"after it for a new version; set it to now, with touch", ErrUnsupported,
		filepath.Base(path))
}

// isLatest reports whether there may be no later time for a file than this.
func isLatest(ns int64) bool { return ns > math.MaxInt64-2*coarse }

// errCoarse says why a directory cannot have versions by time.
func errCoarse(dir string) error {
	return fmt.Errorf("%w: the file system of %s keeps times too coarse for versions by "+
		"modification time; "+
		"use versions by content hash", ErrUnsupported, dir)
}

// chooseMode says which kind of version the documents of d have, now for as long as the handle
// lives. For VersionMtime and VersionAuto the directory is tried out: a temporary file is
// stamped. Where that cannot be done, as in a directory that may only be read, VersionAuto
// means VersionHash, and VersionMtime has to trust: a swap would find out.
func (d *fileDriver) chooseMode() (VersionMode, error) {
	if d.opts.Versions == VersionHash {
		return VersionHash, nil
	}
	d.sweep(d.path("any")) // of one that died as it tried
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
	// A time of which every step from two microseconds on loses more than one.
	now := d.files.Now()
	want := now - now%int64(time.Second) + 987_655_999
	if err := probe.file.SetMtime(want); err != nil {
		return false, false
	}
	info, err := probe.file.Stat()
	return err == nil && info.Mtime <= want && info.Mtime > want-coarse, err == nil
}

// clockFine reports whether a file's time was seen to be another one after each of some
// writes. Elsewhere it is that of a clock that goes on in steps of milliseconds.
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

// clockWrites is how many writes are looked at. They take some microseconds, so that
// two with a coarse step between them are rare, and so many unheard of.
const clockWrites = 8
