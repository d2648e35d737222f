// The part of the contract on attempts: their steps, their lock and their effects. It
// applies to engines that implement driver.Attempter.

package drivertest

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/driver"
)

// attempts is an engine with attempts.
type attempts interface {
	driver.Driver
	driver.Attempter
}

var attemptChecks = []struct {
	name string
	run  func(t *testing.T, drv attempts)
}{
	{"an optimistic attempt", optimistic},
	{"an attempt that locks first", lockFirst},
	{"an attempt that deletes", deleting},
	{"the lock excludes", lockExcludes},
	{"the lock is waited for", lockIsWaitedFor},
	{"a wait for the lock ends with its context", lockWaitEnds},
	{"the lock is of one document", lockOfOne},
	{"what changes meanwhile is a conflict", attemptConflicts},
	{"confirm", confirms},
	{"to read again forgets", readAgain},
	{"forget", forgets},
	{"forget while the lock is waited for", forgetsInWait},
	{"close before the end", closesEarly},
	{"a superseded version", superseded},
	{"a closed engine", attemptOnClosed},
	{"race of optimistic attempts", raceOfOptimistic},
	{"race of attempts that lock first", raceOfLocking},
}

func runAttempts(t *testing.T, open func(t *testing.T) driver.Driver) {
	for _, check := range attemptChecks {
		t.Run(check.name, func(t *testing.T) {
			drv := open(t)
			defer closeDriver(t, drv)
			if a, ok := drv.(attempts); ok {
				check.run(t, a)
			} else {
				t.Skip("the engine has no attempts")
			}
		})
	}
}

// trial is an attempt whose steps must succeed.
type trial struct {
	driver.Attempt
	t *testing.T
}

func try(t *testing.T, drv attempts, key string) trial {
	a := trial{drv.Attempt(key), t}
	t.Cleanup(a.Close)
	return a
}

func (a trial) ok(what string, err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("%s: %v", what, err)
	}
}

// read expects the document to have this content; empty means absent.
func (a trial) read(want string) driver.Version {
	a.t.Helper()
	data, version, err := a.Read(context.Background())
	a.ok("Read", err)
	if string(data) != want || version.IsAbsent() != (want == "") || (data == nil) != (want == "") {
		a.t.Fatalf("read %q, version %v; want %q", data, version, want)
	}
	return version
}

func (a trial) stage(data string) {
	a.t.Helper()
	a.ok("Stage", a.Stage(context.Background(), []byte(data)))
}

func (a trial) lock() {
	a.t.Helper()
	had, err := a.TryLock(context.Background())
	a.ok("TryLock", err)
	if !had {
		a.ok("Lock", a.Lock(context.Background()))
	}
}

func (a trial) publish() driver.Version {
	a.t.Helper()
	version, err := a.Publish(context.Background())
	a.ok("Publish", err)
	return version
}

// put replaces the document at any version; empty data deletes it.
func put(t *testing.T, drv driver.Driver, key, data string) driver.Version {
	t.Helper()
	_, version, err := drv.Read(context.Background(), key)
	if err == nil && data == "" {
		err = drv.Delete(context.Background(), key, version)
		version = driver.Absent
	} else if err == nil {
		version, err = drv.Swap(context.Background(), key, version, []byte(data))
	}
	return must(t, version, err)
}

// mustHave expects a document to have this content and this version.
func mustHave(t *testing.T, drv driver.Driver, key, want string, version driver.Version) {
	t.Helper()
	data, found, err := drv.Read(context.Background(), key)
	if err != nil || string(data) != want || found != version {
		t.Errorf("the document is %q, %v (%v), want %q, %v", data, found, err, want, version)
	}
}

// mustConflict expects a step to fail with a conflict that has the versions.
func mustConflict(t *testing.T, what string, err error, want, have driver.Version) {
	t.Helper()
	var conflict *driver.ConflictError
	if !errors.As(err, &conflict) || conflict.Want != want || conflict.Have != have {
		t.Errorf("%s: %v, want a ConflictError with Want %v, Have %v", what, err, want, have)
	}
}

// mustBeFree expects the lock to be free, or to become free.
func mustBeFree(t *testing.T, drv attempts, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a := drv.Attempt(key)
	defer a.Close()
	had, err := a.TryLock(ctx)
	if err == nil && !had {
		err = a.Lock(ctx)
	}
	if err != nil {
		t.Fatalf("the lock is not free: %v", err)
	}
}

func optimistic(t *testing.T, drv attempts) {
	var before driver.Version
	for _, data := range []string{"1", "2", "333", "1"} {
		a := try(t, drv, "a")
		was := ""
		if !before.IsAbsent() {
			now, _, err := drv.Read(context.Background(), "a")
			was = string(now)
			a.ok("Read", err)
		}
		if version := a.read(was); version != before {
			t.Errorf("read version %v, want %v", version, before)
		}
		a.stage(data)
		mustHave(t, drv, "a", was, before)
		a.lock()
		made := a.publish()
		mustHave(t, drv, "a", data, made)
		mustBeFree(t, drv, "a")
		a.ok("Settle", a.Settle())
		a.Close()
		a.Close() // a second Close does nothing
		mustHave(t, drv, "a", data, made)
		before = made
	}
}

func lockFirst(t *testing.T, drv attempts) {
	for _, was := range []string{"", "1"} {
		a := try(t, drv, "a")
		a.lock()
		a.read(was)
		a.stage(was + "1")
		made := a.publish()
		mustHave(t, drv, "a", was+"1", made)
		mustBeFree(t, drv, "a")
		a.ok("Settle", a.Settle())
		a.Close()
	}
}

func deleting(t *testing.T, drv attempts) {
	ctx := context.Background()
	for _, first := range []bool{false, true} {
		put(t, drv, "a", "1")
		a := try(t, drv, "a")
		if first {
			a.lock()
		}
		a.read("1")
		if !first {
			a.lock()
		}
		a.ok("Delete", a.Delete(ctx))
		mustHave(t, drv, "a", "", driver.Absent)
		mustBeFree(t, drv, "a")
		a.ok("Settle", a.Settle())
		a.Close()

		a = try(t, drv, "a")
		a.read("")
		a.lock()
		mustConflict(t, "Delete of what is absent", a.Delete(ctx), driver.Absent, driver.Absent)
		mustBeFree(t, drv, "a")
	}
}

func attemptConflicts(t *testing.T, drv attempts) {
	ctx := context.Background()
	for _, was := range []string{"", "1"} {
		for _, now := range []string{"", "22"} {
			if was == now {
				continue
			}
			for _, last := range []string{"stage", "publish", "delete"} {
				if data, _, _ := drv.Read(ctx, "a"); string(data) != was {
					put(t, drv, "a", was)
				}
				a := try(t, drv, "a")
				before := a.read(was)
				if last == "publish" {
					a.stage("3")
				}
				have := put(t, drv, "a", now)
				var err error
				if last == "stage" {
					err = a.Stage(ctx, []byte("3"))
				}
				if err == nil {
					a.lock()
					if last == "delete" {
						err = a.Delete(ctx)
					} else {
						_, err = a.Publish(ctx)
					}
				}
				if last == "delete" && was == "" {
					have = driver.Absent // as it was read
				}
				if last != "delete" || was != "" {
					mustConflict(t, last, err, before, have)
				} else if !errors.Is(err, driver.ErrConflict) {
					t.Errorf("%s: %v", last, err)
				}
				a.Close()
				mustBeFree(t, drv, "a")
				if data, _, err := drv.Read(ctx, "a"); err != nil || string(data) != now {
					t.Errorf("%s: the document is %q, %v; want %q", last, data, err, now)
				}
			}
		}
	}
}

func confirms(t *testing.T, drv attempts) {
	ctx := context.Background()
	for _, step := range []struct{ was, now string }{{"", "1"}, {"1", "2"}, {"2", ""}, {"", ""}} {
		for _, first := range []bool{true, false} { // whether the lock comes first
			a := try(t, drv, "a")
			if first {
				a.lock()
			}
			before := a.read(step.was)
			if !first {
				a.lock()
			}
			a.ok("Confirm", a.Confirm(ctx))
			mustBeFree(t, drv, "a")
			a.ok("Settle", a.Settle())
			a.Close()
			mustHave(t, drv, "a", step.was, before)
		}
		a := try(t, drv, "a") // a read under the lock needs no Confirm
		a.lock()
		a.read(step.was)
		a.ok("Settle", a.Settle())
		mustBeFree(t, drv, "a")
		a.Close()
		if step.was == step.now {
			return
		}
		a = try(t, drv, "a")
		before := a.read(step.was)
		have := put(t, drv, "a", step.now)
		a.lock()
		mustConflict(t, "Confirm", a.Confirm(ctx), before, have)
		mustBeFree(t, drv, "a")
		a.Close()
	}
}

// counted increments a number by attempts of several writers at once.
func counted(t *testing.T, drv attempts, increment func(a trial) error) {
	const writers, each = 8, 25
	put(t, drv, "n", "0")
	together(writers, func(int) {
		for range each {
			for {
				a := trial{drv.Attempt("n"), t}
				err := increment(a)
				a.Close()
				if err == nil {
					break
				}
				if !errors.Is(err, driver.ErrConflict) {
					t.Error(err)
					return
				}
			}
		}
	})
	data, _, err := drv.Read(context.Background(), "n")
	if err != nil || string(data) != strconv.Itoa(writers*each) {
		t.Errorf("%d increments make %s (%v)", writers*each, data, err)
	}
}
