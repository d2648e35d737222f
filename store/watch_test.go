package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/notify"
)

// patience bounds each wait of a test for an event.
const patience = 30 * time.Second

// observer is a watch that runs on a goroutine of a test.
type observer struct {
	t      *testing.T
	events chan seenEvent
	stop   context.CancelFunc
	ended  chan struct{}
}

type seenEvent struct {
	Event
	err error
}

// observe runs the watch that begin makes until the test ends.
func observe(
	t *testing.T, begin func(ctx context.Context, yield func(Event, error) bool) *watch,
) *observer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o := &observer{t, make(chan seenEvent), cancel, make(chan struct{})}
	w := begin(ctx, func(event Event, err error) bool {
		select {
		case o.events <- seenEvent{event, err}:
			return true
		case <-ctx.Done():
			return false
		}
	})
	go func() {
		defer close(o.ended)
		w.run()
	}()
	t.Cleanup(o.end)
	return o
}

func (o *observer) end() {
	o.stop()
	<-o.ended
}

// next returns the next event.
func (o *observer) next() seenEvent {
	o.t.Helper()
	select {
	case got := <-o.events:
		return got
	case <-o.ended:
		o.t.Fatal("the watch has ended")
	case <-time.After(patience):
		o.t.Fatal("no event has come")
	}
	panic("unreachable")
}

// until skips events until a document has a content, "" for absent, and returns that event.
// No event may have an error.
func (o *observer) until(content string) seenEvent {
	o.t.Helper()
	for {
		got := o.next()
		if got.err != nil {
			o.t.Fatalf("%s: %v", got.Name, got.err)
		}
		if (got.Data == nil) != got.Version.IsAbsent() {
			o.t.Fatalf("%q at %s", got.Data, got.Version)
		}
		if string(got.Data) == content {
			return got
		}
	}
}

// means are the ways in which a watch learns of changes, each by itself.
var means = map[string]func(w *watch){
	"hints": func(w *watch) { w.every = time.Hour },
	"polls": func(w *watch) {
		opts := *w.opts
		opts.Poll = time.Millisecond
		w.opts = &opts
	},
}

// eachMeans runs a test with each of them.
func eachMeans(t *testing.T, test func(t *testing.T, by string)) {
	for by := range means {
		t.Run(by, func(t *testing.T) {
			if by == "hints" {
				needsHints(t)
			}
			test(t, by)
		})
	}
}

// watchFile watches the document in a file, from its current content on.
func watchFile(t *testing.T, by, path string) *observer {
	t.Helper()
	doc, err := OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doc.Close() })
	return observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
		w := doc.watching(ctx, Absent, yield)
		means[by](w)
		return w
	})
}

// must makes changes of a script, each of them once.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// put writes into a file in place.
func put(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600))
}

// rename puts a file in the place of another.
func rename(t *testing.T, path, content string) {
	t.Helper()
	put(t, path+".new", content)
	must(t, os.Rename(path+".new", path))
}

// relink replaces a link.
func relink(t *testing.T, target, link string) {
	t.Helper()
	must(t, os.Symlink(target, link+".new"), os.Rename(link+".new", link))
}

// run runs a program, or skips the test where there is none.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// TestWatchWays: whatever way a program writes in, its content is the next event. Each way
// makes 2 from 1, and is done twice: what is watched may be other files then.
func TestWatchWays(t *testing.T) {
	ways := map[string]struct {
		path  string // of the document, in the test's directory
		begin func(t *testing.T, dir, path string)
		write func(t *testing.T, dir, path, content string)
	}{
		"in place":     {write: func(t *testing.T, _, path, content string) { put(t, path, content) }},
		"renamed over": {write: func(t *testing.T, _, path, content string) { rename(t, path, content) }},
		"removed and made": {write: func(t *testing.T, _, path, content string) {
			must(t, os.Remove(path))
			put(t, path, content)
		}},
		"moved to a backup and made": {write: func(t *testing.T, _, path, content string) {
			must(t, os.Rename(path, path+"~"))
			put(t, path, content)
			must(t, os.Remove(path+"~"))
		}},
		"copied to a backup, in place": {write: func(t *testing.T, _, path, content string) {
			must(t, os.Link(path, path+"~"), os.Remove(path+"~"))
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
			must(t, err)
			for _, part := range strings.SplitAfter(content, "") {
				_, err := file.WriteString(part)
				must(t, err)
			}
			must(t, file.Sync(), file.Close())
		}},
		"sed": {write: func(t *testing.T, _, path, content string) {
			run(t, "sed", "-i", "s/.*/"+content+"/", path)
		}},
		"vim": {write: func(t *testing.T, _, path, content string) {
			run(t, "vim", "-u", "NONE", "-es", "-c", "set nofixeol noeol bin", "-c",
				"%s/.*/"+content+"/", "-c", "wq", path)
		}},
		"vim with a backup": {write: func(t *testing.T, _, path, content string) {
			run(t, "vim", "-u", "NONE", "-es", "-c",
				"set nofixeol noeol bin backup backupcopy=no", "-c", "%s/.*/"+content+"/", "-c", "wq", path)
		}},
		"a link that is replaced": {
			begin: func(t *testing.T, dir, path string) {
				put(t, dir+"/1.json", "1")
				must(t, os.Remove(path), os.Symlink("1.json", path))
			},
			write: func(t *testing.T, dir, path, content string) {
				put(t, dir+"/"+content+".json", content)
				relink(t, content+".json", path)
			},
		},
		"the target of a link": {
			begin: func(t *testing.T, dir, path string) {
				put(t, dir+"/elsewhere/target.json", "1")
				must(t, os.Remove(path), os.Symlink("elsewhere/target.json", path))
			},
			write: func(t *testing.T, dir, path, content string) {
				rename(t, dir+"/elsewhere/target.json", content)
			},
		},
		"Kubernetes": {
			begin: func(t *testing.T, dir, path string) {
				put(t, dir+"/..1/doc.json", "1")
				must(t, os.Remove(path), os.Symlink("..1", dir+"/..data"),
					os.Symlink("..data/doc.json", path))
			},
			write: func(t *testing.T, dir, path, content string) {
				old, err := os.Readlink(dir + "/..data")
				put(t, dir+"/.."+content+"/doc.json", content)
				relink(t, ".."+content, dir+"/..data")
				must(t, err, os.RemoveAll(dir+"/"+old))
			},
		},
		"a linked directory": {
			path: "current/doc.json",
			begin: func(t *testing.T, dir, path string) {
				must(t, os.Rename(dir+"/current", dir+"/1"), os.Symlink("1", dir+"/current"))
			},
			write: func(t *testing.T, dir, path, content string) {
				put(t, dir+"/"+content+"/doc.json", content)
				relink(t, dir+"/"+content, dir+"/current")
			},
		},
		"a link upwards": {
			path: "a/b/doc.json",
			begin: func(t *testing.T, dir, path string) {
				put(t, dir+"/a/1.json", "1")
				must(t, os.Remove(path), os.Symlink("../1.json", path))
			},
			write: func(t *testing.T, dir, path, content string) {
				put(t, dir+"/a/1.json", content)
			},
		},
		"the directory made again": {
			path: "a/b/doc.json",
			write: func(t *testing.T, dir, path, content string) {
				must(t, os.RemoveAll(dir+"/a"))
				put(t, path, content)
			},
		},
		"the directory replaced": {
			path: "a/doc.json",
			write: func(t *testing.T, dir, path, content string) {
				put(t, dir+"/b/doc.json", content)
				must(t, os.Rename(dir+"/a", dir+"/a"+content), os.Rename(dir+"/b", dir+"/a"))
			},
		},
		"an update": {write: func(t *testing.T, _, path, content string) {
			doc, err := OpenFile(path, nil)
			must(t, err)
			defer doc.Close()
			_, err = doc.Update(t.Context(), func([]byte) ([]byte, error) {
				return []byte(content), nil
			})
			must(t, err)
		}},
		"a transaction": {write: func(t *testing.T, dir, path, content string) {
			doc, err := OpenFile(path, nil)
			must(t, err)
			defer doc.Close()
			other, err := OpenFile(dir+"/other.json", nil)
			must(t, err)
			defer other.Close()
			must(t, Transact(t.Context(), func(tx *Tx) error {
				return errors.Join(tx.Write(other, []byte("0")), tx.Write(doc, []byte(content)))
			}))
		}},
	}
	if runtime.GOOS == "windows" { // it keeps a directory that is open; and no transactions
		for _, name := range []string{"the directory made again", "the directory replaced",
			"a transaction"} {
			delete(ways, name)
		}
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			eachMeans(t, func(t *testing.T, by string) {
				if strings.Contains(name, "link") || name == "Kubernetes" {
					needsLinks(t)
				}
				dir := t.TempDir()
				path := filepath.Join(dir, "doc.json")
				if way.path != "" {
					path = filepath.Join(dir, filepath.FromSlash(way.path))
				}
				put(t, path, "1")
				if way.begin != nil {
					way.begin(t, dir, path)
				}
				o := watchFile(t, by, path)
				if got := o.next(); string(got.Data) != "1" || got.err != nil || got.Name != path {
					t.Fatalf("first %q, %v", got.Data, got.err)
				}
				for content := 2; content < 5; content++ {
					way.write(t, dir, path, fmt.Sprint(content))
					o.until(fmt.Sprint(content))
				}
			})
		})
	}
}

// TestWatchMissing: a document is watched before its directories exist, through their
// removal, and through deletions.
func TestWatchMissing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a handle needs the document's directory there")
	}
	eachMeans(t, func(t *testing.T, by string) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a", "b", "doc.json")
		o := watchFile(t, by, path)
		for i := range 3 {
			put(t, path, fmt.Sprint(i))
			o.until(fmt.Sprint(i))
			must(t, os.Remove(path))
			o.until("")
			put(t, path, "[]")
			o.until("[]")
			must(t, os.RemoveAll(filepath.Join(dir, "a")))
			o.until("")
		}
	})
}

// TestWatchInvalid: a document that is invalid, or cannot be read, is an error once, the
// watch goes on, and the document comes when it is well, even if it is what it was.
func TestWatchInvalid(t *testing.T) {
	eachMeans(t, func(t *testing.T, by string) {
		path := filepath.Join(t.TempDir(), "doc.json")
		put(t, path, "1")
		o := watchFile(t, by, path)
		o.until("1")
		for _, bad := range []string{"{", "", "[1"} {
			put(t, path, bad)
			got := o.next()
			for got.err == nil || string(got.Data) != bad { // the file is empty for a moment
				if got = o.next(); got.err == nil {
					t.Fatalf("%q is valid", got.Data)
				}
			}
			if !errors.Is(got.err, ErrInvalid) || got.Version.IsAbsent() || got.Name != path {
				t.Fatalf("%q: %v", bad, got.err)
			}
			put(t, path, "1")
			o.until("1")
		}
		must(t, os.Remove(path), os.Mkdir(path, 0o700))
		if got := o.next(); got.err == nil || !strings.Contains(got.err.Error(), "is a directory") {
			t.Fatalf("%q, %v", got.Data, got.err)
		}
		must(t, os.Remove(path))
		put(t, path, "2")
		o.until("2")
	})
}

// TestWatchFrom: the current state comes first if it has another version.
func TestWatchFrom(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	path := filepath.Join(t.TempDir(), "doc.json")
	for _, mode := range []VersionMode{VersionHash, VersionMtime} {
		doc, err := OpenFile(path, &Options{Versions: mode})
		if errors.Is(err, ErrUnsupported) {
			continue
		}
		must(t, err)
		defer doc.Close()
		put(t, path, "1")
		_, v1, err := doc.Read(t.Context())
		must(t, err)
		// The next event after that version is a change.
		o := observe(t, func(ctx context.Context, yield func(Event, error) bool) *watch {
			return doc.watching(ctx, v1, yield)
		})
		put(t, path, "2")
		got := o.next()
		if string(got.Data) != "2" || got.err != nil {
			t.Errorf("%v: %q, %v", mode, got.Data, got.err)
		}
		o.end()
		for after, want := range map[Version]string{v1: "2", Absent: "2"} {
			for event, err := range doc.Watch(ctx, after) {
				if string(event.Data) != want || err != nil || event.Version != got.Version {
					t.Errorf("%v: %q, %v", mode, event.Data, err)
				}
				break
			}
		}
		must(t, doc.Delete(t.Context()))
		for event, err := range doc.Watch(ctx, v1) {
			if event.Data != nil || !event.Version.IsAbsent() || err != nil {
				t.Errorf("%v: %q, %v", mode, event.Data, err)
			}
			break
		}
	}
}

// TestWatchEnds: what ends a watch is its last pair.
func TestWatchEnds(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.json"), "1")
	db, err := Open(dir, nil)
	must(t, err)
	cause := errors.New("enough")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	foreign, err := ParseVersion("r:1")
	must(t, err)
	for name, c := range map[string]struct {
		ctx   context.Context
		key   string
		after Version
		want  error
	}{
		"context": {ended, "a", Absent, cause},
		"key":     {t.Context(), "../a", Absent, ErrKey},
		"version": {t.Context(), "a", foreign, ErrVersion},
	} {
		var errs []error
		for _, err := range db.Doc(c.key).Watch(c.ctx, c.after) {
			errs = append(errs, err)
		}
		for _, err := range db.Watch(c.ctx, "", map[string]Version{c.key: c.after}) {
			errs = append(errs, err)
		}
		var where *Error
		if len(errs) != 2 || !errors.Is(errs[0], c.want) || !errors.Is(errs[1], c.want) ||
			!errors.As(errs[0], &where) || where.Op != "watch" {
			t.Errorf("%s: %v", name, errs)
		}
	}
	// Close ends a watch that waits.
	first := true
	for event, err := range db.Doc("a").Watch(t.Context(), Absent) {
		if first {
			if string(event.Data) != "1" || err != nil {
				t.Errorf("%q, %v", event.Data, err)
			}
			time.AfterFunc(time.Millisecond, func() { db.Close() })
		} else if !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		first = false
	}
}

// TestWatchPanics: a body that panics, or ends its goroutine, leaves nothing behind.
func TestWatchPanics(t *testing.T) {
	needsHints(t)
	path := filepath.Join(t.TempDir(), "doc.json")
	put(t, path, "1")
	doc, err := OpenFile(path, nil)
	must(t, err)
	defer doc.Close()
	before, _, counted := descriptors()
	if !counted {
		t.Skip("descriptors cannot be counted here")
	}
	for _, end := range []func(){runtime.Goexit, func() { panic("the body") }} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer func() { _ = recover() }()
			for range doc.Watch(t.Context(), Absent) {
				end()
			}
		}()
		<-ended
		if after, inotify, _ := descriptors(); after > before || inotify > 0 {
			t.Errorf("%d descriptors after %d, %d of inotify", after, before, inotify)
		}
	}
}

// needsHints skips a test where the system does not tell of changes.
func needsHints(t *testing.T) {
	t.Helper()
	l, err := notify.Process.Listen(func(string, string) {})
	if err != nil {
		t.Skip(err)
	}
	l.Close()
}
