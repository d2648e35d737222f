//go:build !windows

package store

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/internal/names"
	"github.com/jsonstore/jsonstore/internal/simfs"
)

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// twoDocs opens two documents of 1 in one directory, with faults.
func twoDocs(t *testing.T, opts Options, inject func(op, name string) error) (a, b *Doc) {
	t.Helper()
	dir := t.TempDir()
	var docs [2]*Doc
	for i, name := range []string{"a.json", "b.json"} {
		path := filepath.Join(dir, name)
		putFile(t, path, []byte("1"))
		docs[i] = openFaulty(t, path, opts, inject)
	}
	return docs[0], docs[1]
}

func incrementBoth(a, b *Doc) error {
	return Transact(context.Background(), func(tx *Tx) error {
		return errors.Join(tx.Update(a, increment), tx.Update(b, increment))
	})
}

// wantBoth checks what the files of two documents have.
func wantBoth(t *testing.T, a, b *Doc, want string) {
	t.Helper()
	for _, doc := range []*Doc{a, b} {
		if got, err := os.ReadFile(doc.name); err != nil || string(got) != want {
			t.Errorf("%s is %s, %v; want %s", doc.name, got, err, want)
		}
	}
}

// TestTransactRefused: what makes it impossible to publish is found before the commit, and all
// is as it was.
func TestTransactRefused(t *testing.T) {
	second := func(name string) bool { return strings.Contains(name, "b.json") }
	for name, c := range map[string]struct {
		opts   Options
		fault  func(op, name string) error
		want   error
		passes bool
	}{
		"no exchange for the guard": {opts: Options{GuardForeign: true}, want: ErrUnsupported,
			fault: func(op, name string) error {
				if op == "exchange" && second(name) {
					return errors.ErrUnsupported
				}
				return nil
			}},
		"no symbolic links": {passes: true, opts: Options{Durability: Volatile},
			fault: func(op, _ string) error {
				if op == "symlink" {
					return syscall.EPERM // Linux's error for it
				}
				return nil
			}},
		"no symbolic links of this length": {passes: true, opts: Options{Durability: Volatile},
			fault: func(op, _ string) error {
				if op == "symlink" {
					return syscall.ENAMETOOLONG
				}
				return nil
			}},
		"no exchange, and no guard": {passes: true, fault: func(op, name string) error {
			if op == "exchange" {
				return errors.ErrUnsupported
			}
			return nil
		}},
		"a directory that may not be written": {want: fs.ErrPermission, fault: func(op, name string) error {
			changes := op == "create" || op == "remove" || strings.HasPrefix(op, "rename")
			if changes && second(name) {
				return syscall.EACCES
			}
			return nil
		}},
		"a file system that is read-only": {want: syscall.EROFS, fault: func(op, name string) error {
			if (op == "create" || op == "open lock" || op == "remove") && second(name) {
				return syscall.EROFS
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Retry.MaxTries = 2
			a, b := twoDocs(t, c.opts, c.fault)
			err := incrementBoth(a, b)
			if !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			want := "1"
			if c.passes {
				want = "2"
			}
			wantBoth(t, a, b, want)
			for _, doc := range []*Doc{a, b} {
				if _, err := os.Lstat(names.Intent(doc.name)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the intent of %s: %v", doc.name, err)
				}
			}
		})
	}
}

// TestConfirmFails: a version that was read, and whose flush has failed, is not believed the
// next time, as with an update of one document. The error does not say that anything was
// published.
func TestConfirmFails(t *testing.T) {
	for _, writes := range []bool{false, true} {
		fails := true
		var a, b *Doc
		a, b = twoDocs(t, Options{}, func(op, name string) error {
			if fails && strings.HasPrefix(op, "sync") && a != nil && name == a.name {
				fails = false
				return syscall.EIO
			}
			return nil
		})
		look := func() error {
			return Transact(context.Background(), func(tx *Tx) error {
				_, _, err := tx.Read(a)
				if err == nil && writes {
					return tx.Update(b, increment)
				}
				if err == nil {
					_, _, err = tx.Read(b)
				}
				return err
			})
		}
		before, err := fsys.New().Lstat(a.name)
		mustDo(t, err)
		err = look()
		if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrNotDurable) == writes ||
			strings.Contains(err.Error(), "published") {
			t.Errorf("writes=%v: %v", writes, err)
		}
		if err := look(); err != nil {
			t.Errorf("writes=%v: %v", writes, err)
		}
		if after, err := fsys.New().Lstat(a.name); err != nil || after.SameFile(before) {
			t.Errorf("writes=%v: a flush that went wrong is tried again, and believed: %v", writes,
				err)
		}
	}
}

// TestConfirmJournalFails: where a journal has failed, a flush that went well does not count for
// what was only read either.
func TestConfirmJournalFails(t *testing.T) {
	a, b := twoDocs(t, Options{}, func(op, _ string) error {
		if op == "begin" {
			return syscall.EROFS
		}
		return nil
	})
	if !a.drv.files.isExt4(a.name, 0) {
		t.Skip("the temporary directory is not on ext4")
	}
	err := Transact(context.Background(), func(tx *Tx) error {
		_, _, errA := tx.Read(a)
		_, _, errB := tx.Read(b)
		return errors.Join(errA, errB)
	})
	if !errors.Is(err, ErrNotDurable) {
		t.Errorf("%v", err)
	}
}

// TestStrictestHandle: of several handles on one document the strictest options count.
func TestStrictestHandle(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		strict, loose Options
		with          bool // the loose one is made of the strict one
	}{
		"durable, with":  {loose: Options{Durability: Volatile}, with: true},
		"durable, other": {loose: Options{Durability: Volatile}},
		"guard, with":    {strict: Options{GuardForeign: true}, with: true},
		"guard, other":   {strict: Options{GuardForeign: true}},
	} {
		t.Run(name, func(t *testing.T) {
			flushed, exchanged := 0, 0
			inject := func(op, name string) error {
				if strings.HasPrefix(op, "sync") && !names.IsLock(name) {
					flushed++
				}
				if op == "exchange" && !strings.HasSuffix(name, ".tmp") {
					exchanged++
				}
				return nil
			}
			a, b := twoDocs(t, c.strict, inject)
			loose := map[*Doc]*Doc{}
			for _, doc := range []*Doc{a, b} {
				if !c.with {
					loose[doc] = openFaulty(t, doc.name, c.loose, inject)
					continue
				}
				var err error
				loose[doc], err = doc.With(func(o *Options) {
					o.Durability, o.GuardForeign = c.loose.Durability, c.loose.GuardForeign
				})
				mustDo(t, err)
			}
			err := Transact(ctx, func(tx *Tx) error {
				for _, doc := range []*Doc{a, b} {
					if _, _, err := tx.Read(loose[doc]); err != nil {
						return err
					}
					if err := tx.Update(doc, increment); err != nil {
						return err
					}
				}
				return nil
			})
			if errors.Is(err, ErrUnsupported) && c.strict.GuardForeign {
				t.Skip(err)
			}
			if err != nil || c.strict.GuardForeign && exchanged != 2 ||
				!c.strict.GuardForeign && flushed == 0 {
				t.Errorf("%v: %d flushes, %d exchanges", err, flushed, exchanged)
			}
			wantBoth(t, a, b, "2")
		})
	}
}

// TestStampedAgainIsFlushed: of several documents the strictest durability counts for what is
// staged again under the locks too. The intent has its time.
func TestStampedAgainIsFlushed(t *testing.T) {
	for _, durability := range []Durability{Durable, Volatile} {
		flushes, changed := 0, false
		var dir string
		inject := func(op, name string) error {
			if op == "trylock" && strings.HasSuffix(name, ".a.json.lock") && !changed {
				changed = true // what is staged is flushed by now
				mustDo(t, os.Chmod(filepath.Join(dir, "b.json"), 0o640))
			}
			if base := filepath.Base(name); op == "sync" && strings.HasPrefix(base, ".b.json.") &&
				strings.HasSuffix(base, ".tmp") {
				flushes++
			}
			return nil
		}
		a, b := twoDocs(t, Options{FlushOrder: PortableOrder, Durability: durability}, inject)
		dir = filepath.Dir(a.name)
		loose := openFaulty(t, b.name, Options{FlushOrder: PortableOrder, Durability: Volatile},
			inject)
		err := Transact(context.Background(), func(tx *Tx) error {
			return errors.Join(tx.Update(a, increment), tx.Update(loose, increment))
		})
		want := 0
		if durability == Durable {
			want = 2
		}
		if err != nil || flushes != want || !changed {
			t.Errorf("%v: %d flushes, changed is %v", err, flushes, changed)
		}
	}
}

// TestRecoveryOfLarge: what a transaction has staged is published by who finds it, whatever size
// of documents that one reads.
func TestRecoveryOfLarge(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	large := `"` + strings.Repeat("x", 5000) + `"`
	putFile(t, a, []byte("1"))
	putFile(t, b, []byte("1"))
	in := stagedIntent(t, a, "7")
	in.Committed, in.Members = true, []string{"b.json"}
	putIntent(t, a, in)
	in = stagedIntent(t, b, large)
	in.Home = "a.json"
	putIntent(t, b, in)
	if _, err := open(t, a, Options{MaxSize: 1000}).Update(ctx, increment); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{a: "8", b: large} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is %.20s, %v", path, got, err)
		}
	}
	// A guard looks at what it has displaced.
	name := guardedName{contentDigits([]byte(large)), contentDigits([]byte("7")), noContent}
	in = stagedIntent(t, b, "7")
	in.Committed, in.Guarded = true, name.String()
	putIntent(t, b, in)
	mustDo(t, fsys.New().Rename(names.Transaction(b, someID), b, fsys.Exchange))
	if _, err := open(t, b, Options{MaxSize: 1000}).Update(ctx, increment); err != nil {
		t.Error(err)
	}
	wantNoLitter(t, dir)
}

// TestTransactReadsOnly: a transaction that only reads makes no directories. Where one comes
// meanwhile it is a conflict.
func TestTransactReadsOnly(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db := openDir(t, dir, nil)
	if _, err := db.Doc("a").Create(ctx, []byte("1")); err != nil {
		t.Fatal(err)
	}
	runs, creates := 0, false
	look := func(tx *Tx) error {
		if runs++; creates && runs == 1 {
			creates = false
			_, _, _ = tx.Read(db.Doc("p/q/r"))
			done := make(chan error)
			go func() { _, err := db.Doc("p/q/r").Create(ctx, []byte("1")); done <- err }()
			if err := <-done; err != nil {
				return err
			}
		}
		_, _, errA := tx.Read(db.Doc("a"))
		if _, _, err := tx.Read(db.Doc("p/q/r")); !errors.Is(err, ErrNotExist) && runs == 1 {
			t.Errorf("p/q/r: %v", err)
		}
		return errA
	}
	for _, locking := range []int{1, -1} {
		db.opts.Retry.EscalateAfter = locking
		runs = 0
		if err := db.Transact(ctx, look); err != nil || runs != 1 {
			t.Errorf("%v, %d runs", err, runs)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "p")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it makes a directory: %v", err)
	}
	runs, creates = 0, true
	if err := db.Transact(ctx, look); err != nil || runs != 2 {
		t.Errorf("a document came: %v, %d runs", err, runs)
	}
}

// TestDirectoryComes: where a directory did not exist there is no lock; if it comes before the
// transaction has looked at all documents, that is a conflict.
func TestDirectoryComes(t *testing.T) {
	dir := t.TempDir()
	a, path := filepath.Join(dir, "a.json"), filepath.Join(dir, "p", "b.json")
	putFile(t, a, []byte("1"))
	came := false
	first := openFaulty(t, a, Options{}, func(op, name string) error {
		if op == "trylock" && name == names.Lock(a) && !came {
			came = true
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			putFile(t, path, []byte("1"))
		}
		return nil
	})
	second := openFaulty(t, path, Options{}, func(string, string) error { return nil })
	var saw []string
	err := Transact(context.Background(), func(tx *Tx) error {
		_, _, err := tx.Read(first)
		data, _, _ := tx.Read(second)
		saw = append(saw, string(data))
		return err
	})
	if got := strings.Join(saw, ","); err != nil || !came || got != ",1" {
		t.Errorf("%v, came %v, saw %q", err, came, saw)
	}
}

// TestOneLockFile: two documents with one lock file are an error, also without waiting.
func TestOneLockFile(t *testing.T) {
	for _, wait := range []int{0, -1} {
		opts := Options{Logger: slog.New(slog.DiscardHandler)}
		if wait < 0 {
			opts.LockWait = -1
		}
		a, b := twoDocs(t, opts, func(string, string) error { return nil })
		putFile(t, names.Lock(a.name), nil)
		mustDo(t, os.Link(names.Lock(a.name), names.Lock(b.name)))
		if err := incrementBoth(a, b); !errors.Is(err, errOneLock) {
			t.Errorf("LockWait %v: %v", opts.LockWait, err)
		}
		wantBoth(t, a, b, "1")
	}
}

// TestSweepUnlisted: a sweep of a document in a directory that this user may not list finds its
// transaction too, and names what it cannot look at.
func TestSweepUnlisted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.json")
	putFile(t, path, []byte("1"))
	in := stagedIntent(t, path, "7")
	in.Committed = true
	putIntent(t, path, in)
	denied := ""
	doc := openFaulty(t, path, Options{}, func(op, name string) error {
		if op == "readdir" || op == "lstat" && name == denied {
			return syscall.EACCES
		}
		return nil
	})
	denied = names.Place(path, 3)
	removed, left, err := doc.Sweep(context.Background())
	if err != nil || strings.Join(removed, " ") != ".doc.json.tx" ||
		strings.Join(left, " ") != filepath.Base(denied) {
		t.Errorf("%q, %q, %v", removed, left, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "7" {
		t.Errorf("it is %s, %v", got, err)
	}
}

// TestTransactFAT: where files do not keep their inode numbers, what a dead process has left
// could not be finished.
func TestTransactFAT(t *testing.T) {
	for kind, want := range map[string]error{
		"vfat": ErrUnsupported, "exfat": ErrUnsupported, "ext4": nil,
	} {
		w := simfs.New()
		w.Kind = kind
		w.Quiet = func(string, string) bool { return true }
		err := w.Sequentially("one", func(files fsys.FS) error {
			docs, err := txScenario{}.open(files, "ab", Options{})
			if err != nil {
				return err
			}
			return Transact(context.Background(), func(tx *Tx) error {
				return errors.Join(tx.Write(docs['a'], []byte("1")),
					tx.Write(docs['b'], []byte("1")))
			})
		}, nil)
		if !errors.Is(err, want) || (w.Content(simulatedDoc('a')) == nil) != (want != nil) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
