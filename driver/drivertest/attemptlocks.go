// The part of the contract on the lock of an attempt, and on the data that an attempt
// drops.

package drivertest

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/jsonstore/jsonstore/driver"
)

// holds returns an attempt that holds the lock, and one that waits for it.
func holds(t *testing.T, drv attempts, key string) (holder, other trial) {
	t.Helper()
	holder, other = try(t, drv, key), try(t, drv, key)
	holder.lock()
	had, err := other.TryLock(context.Background())
	other.ok("TryLock", err)
	if had {
		t.Skip("the engine has no locks")
	}
	return holder, other
}

func lockExcludes(t *testing.T, drv attempts) {
	put(t, drv, "a", "1")
	_, other := holds(t, drv, "a")
	other.read("1") // a read needs no lock
	other.stage("2")
	for range 3 {
		if had, err := other.TryLock(context.Background()); had || err != nil {
			t.Errorf("TryLock of what is locked: %v, %v", had, err)
		}
	}
}

// lockIsWaitedFor: Lock waits until the holder has published, deleted or closed.
func lockIsWaitedFor(t *testing.T, drv attempts) {
	ctx := context.Background()
	for name, release := range map[string]func(a trial){
		"Publish": func(a trial) {
			a.stage("2")
			a.publish()
		},
		"Delete": func(a trial) { a.ok("Delete", a.Delete(ctx)) },
		"Close":  func(a trial) { a.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			put(t, drv, "a", "1")
			holder, other := holds(t, drv, "a")
			holder.read("1")
			var released atomic.Bool
			told := make(chan error)
			go func() {
				err := other.Lock(ctx)
				if !released.Load() {
					t.Error("the lock was had before it was given back")
				}
				told <- err
			}()
			released.Store(true)
			release(holder)
			other.ok("Lock", <-told)
			if had, err := try(t, drv, "a").TryLock(ctx); had || err != nil {
				t.Errorf("TryLock of what is locked: %v, %v", had, err)
			}
			other.Close()
			mustBeFree(t, drv, "a")
		})
	}
}

func lockWaitEnds(t *testing.T, drv attempts) {
	holder, other := holds(t, drv, "a")
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan error)
	go func() { told <- other.Lock(ctx) }()
	cancel()
	if err := <-told; !errors.Is(err, context.Canceled) {
		t.Errorf("Lock: %v", err)
	}
	other.Close()
	holder.Close()
	mustBeFree(t, drv, "a")
}

func lockOfOne(t *testing.T, drv attempts) {
	holds(t, drv, "a")
	if had, err := try(t, drv, "b").TryLock(context.Background()); !had || err != nil {
		t.Errorf("TryLock of another document: %v, %v", had, err)
	}
}

// readAgain: Read drops the data read and staged before, and keeps the lock.
func readAgain(t *testing.T, drv attempts) {
	for _, locked := range []bool{false, true} {
		put(t, drv, "a", "1")
		a := try(t, drv, "a")
		if locked {
			a.lock()
		}
		a.read("1")
		a.stage("2")
		want := "1"
		if !locked { // under the lock, no other attempt can write
			want = "10"
			put(t, drv, "a", want)
		}
		now := a.read(want)
		mustHave(t, drv, "a", want, now)
		a.stage("20")
		if !locked {
			a.lock()
		}
		made := a.publish()
		mustHave(t, drv, "a", "20", made)
		a.ok("Settle", a.Settle())
		a.Close()
	}
	holder, other := holds(t, drv, "a")
	holder.read("20")
	holder.read("20")
	if had, err := other.TryLock(context.Background()); had || err != nil {
		t.Errorf("TryLock of what is locked: %v, %v", had, err)
	}
}

func forgets(t *testing.T, drv attempts) {
	put(t, drv, "a", "1")
	for range 2 {
		a := try(t, drv, "a")
		a.Forget() // does nothing
		a.read("1")
		a.stage("2")
		a.Forget()
		a.Forget()
		mustHave(t, drv, "a", "1", a.read("1"))
		a.stage("3")
		a.lock()
		mustHave(t, drv, "a", "3", a.publish())
		a.Close()
		put(t, drv, "a", "1")
	}
}

// forgetsInWait: Forget drops staged data while Lock waits, and Lock gets the lock all
// the same.
func forgetsInWait(t *testing.T, drv attempts) {
	put(t, drv, "a", "1")
	holder, other := holds(t, drv, "a")
	other.read("1")
	data := []byte("2")
	other.ok("Stage", other.Stage(context.Background(), data))
	told := make(chan error)
	go func() { told <- other.Lock(context.Background()) }()
	other.Forget()
	data[0] = '9' // the buffer is the caller's again
	holder.read("1")
	holder.stage("10")
	holder.publish()
	holder.Close()
	other.ok("Lock", <-told)
	other.read("10")
	other.stage("11")
	mustHave(t, drv, "a", "11", other.publish())
	other.Close()
	mustBeFree(t, drv, "a")
}

// closesEarly: an unpublished change has no effect, and no lock stays behind.
func closesEarly(t *testing.T, drv attempts) {
	version := put(t, drv, "a", "1")
	for steps := range 4 {
		for _, first := range []bool{false, true} {
			a := try(t, drv, "a")
			if first {
				a.lock()
			}
			if steps > 0 {
				a.read("1")
			}
			if steps > 1 {
				a.stage("2")
			}
			if steps > 2 && !first {
				a.lock()
			}
			a.Close()
			a.Close()
			mustHave(t, drv, "a", "1", version)
			mustBeFree(t, drv, "a")
		}
	}
	// A published version stays, settled or not.
	a := try(t, drv, "a")
	a.read("1")
	a.stage("2")
	a.lock()
	made := a.publish()
	a.Close()
	mustHave(t, drv, "a", "2", made)
	if keys, err := collect(context.Background(), drv, ""); err != nil || len(keys) != 1 {
		t.Errorf("keys %q, %v", keys, err)
	}
}

// superseded: no document has the version, or, where versions stand for content, every
// document with that content has it.
func superseded(t *testing.T, drv attempts) {
	combiner, ok := drv.(driver.Combiner)
	if !ok {
		t.Skip("the engine does not combine")
	}
	seen := map[driver.Version]bool{}
	for _, data := range []string{"1", "2", "1", ""} {
		version := combiner.Superseded([]byte(data))
		if parsed, err := driver.ParseVersion(version.String()); err != nil || parsed != version {
			t.Errorf("ParseVersion(%q) = %v, %v", version, parsed, err)
		}
		if version.IsAbsent() {
			t.Errorf("of %q it is Absent", data)
		}
		if data == "" {
			continue
		}
		made := put(t, drv, "a", data)
		if unique := drv.Caps().UniqueVersions; unique && (seen[version] || version == made) ||
			!unique && version != made {
			t.Errorf("of %q it is %v, the document has %v", data, version, made)
		}
		seen[version], seen[made] = true, true
		if data == "2" {
			continue
		}
		// A Swap can expect it, like any other version.
		other := combiner.Superseded([]byte("3"))
		_, err := drv.Swap(context.Background(), "a", other, []byte("4"))
		mustConflict(t, "Swap", err, other, made)
	}
}

func attemptOnClosed(t *testing.T, drv attempts) {
	put(t, drv, "a", "1")
	begun, fresh := try(t, drv, "a"), try(t, drv, "a")
	begun.read("1")
	closeDriver(t, drv)
	for name, a := range map[string]trial{"begun": begun, "fresh": fresh} {
		if _, _, err := a.Read(context.Background()); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s: Read: %v", name, err)
		}
		a.Close()
	}
}

func raceOfOptimistic(t *testing.T, drv attempts) {
	ctx := context.Background()
	counted(t, drv, func(a trial) error {
		data, _, err := a.Read(ctx)
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(data))
		if err := a.Stage(ctx, strconv.AppendInt(nil, int64(n+1), 10)); err != nil {
			return err
		}
		had, err := a.TryLock(ctx)
		if err == nil && !had {
			err = a.Lock(ctx)
		}
		if err != nil {
			return err
		}
		if _, err := a.Publish(ctx); err != nil {
			return err
		}
		return a.Settle()
	})
}

func raceOfLocking(t *testing.T, drv attempts) {
	holder, other := holds(t, drv, "n") // without locks there are conflicts
	holder.Close()
	other.Close()
	ctx := context.Background()
	counted(t, drv, func(a trial) error {
		had, err := a.TryLock(ctx)
		if err == nil && !had {
			err = a.Lock(ctx)
		}
		if err != nil {
			return err
		}
		data, _, err := a.Read(ctx)
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(data))
		err = a.Stage(ctx, strconv.AppendInt(nil, int64(n+1), 10))
		if err == nil {
			_, err = a.Publish(ctx)
		}
		if err != nil {
			t.Errorf("under the lock: %v", err)
			return err
		}
		return a.Settle()
	})
}
