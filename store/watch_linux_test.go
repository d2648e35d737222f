package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limitVariable has the limit that a test's child lowers for itself, as FILE=NUMBER.
const limitVariable = "JSONSTORE_TEST_INOTIFY"

// TestWatchLimits: where the limits of inotify are exhausted a watch polls, says so, and is
// told of changes again when the limits allow it. The limits are those of a user namespace,
// in which the test runs once more.
func TestWatchLimits(t *testing.T) {
	if limit := os.Getenv(limitVariable); limit != "" {
		watchLimited(t, limit)
		return
	}
	for limit, want := range map[string]string{
		"max_inotify_instances=0": "fs.inotify.max_user_instances",
		"max_inotify_watches=0":   "fs.inotify.max_user_watches",
		"max_inotify_watches=2":   "fs.inotify.max_user_watches",
	} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			cmd := exec.Command(os.Args[0], "-test.run", "^TestWatchLimits$", "-test.v")
			cmd.Env = append(os.Environ(), limitVariable+"="+limit)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Skipf("there are no user namespaces for this user: %v", err)
			}
			if strings.Contains(string(out), "--- SKIP") {
				t.Skipf("%s", out)
			}
			if err != nil || !strings.Contains(string(out), "a watch polls") ||
				!strings.Contains(string(out), want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func watchLimited(t *testing.T, limit string) {
	name, number, _ := strings.Cut(limit, "=")
	file := "/proc/sys/user/" + name
	old, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(number), 0)
	}
	if err != nil {
		t.Skipf("the limit cannot be lowered: %v", err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "doc.json")
	put(t, path, "0")
	for i := range 4 {
		put(t, filepath.Join(dir, fmt.Sprint(i), "other.json"), "0")
	}
	doc, err := OpenFile(path, nil)
	must(t, err)
	defer doc.Close()
	db, err := Open(dir, nil)
	must(t, err)
	defer db.Close()
	one := observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
		return doc.watching(ctx, Absent, yield)
	})
	all := observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
		return db.watching(ctx, "", nil, yield)
	})
	if number == "0" {
		if got := one.until("0"); got.Polling == nil {
			t.Error("it does not say that it polls")
		}
	}
	for {
		if got := all.next(); got.Name == "doc" {
			if got.Polling == nil {
				t.Error("it does not say that it polls")
			}
			break
		}
	}
	rename(t, path, "1")
	one.until("1")
	all.until("1")
	// The limit is raised. Each look is two seconds after the last attempt.
	must(t, os.WriteFile(file, old, 0))
	for i, late := 2, time.Now().Add(patience); ; i++ {
		if time.Now().After(late) {
			t.Fatal("it still polls")
		}
		rename(t, path, fmt.Sprint(i))
		a, b := one.until(fmt.Sprint(i)), all.until(fmt.Sprint(i))
		if a.Polling == nil && b.Polling == nil {
			break
		}
	}
}
