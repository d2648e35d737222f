// Fencing, by laws and in transactions.

package lease_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/sjson"
	"pgregory.net/rapid"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

// A write with a token is made exactly if the document has not seen a newer one, in both
// ways of guarding, and changes nothing else.
func TestFenceLaw(t *testing.T) {
	type state struct {
		Keep  json.Number `json:"keep"`
		N     int         `json:"n"`
		Fence lease.Fence `json:"fence"`
	}
	rapid.Check(t, func(t *rapid.T) {
		db, err := store.New(memdriver.New(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		doc, newest, n := db.Doc("doc"), uint64(0), 0
		if _, err := doc.Create(context.Background(), []byte(`{"keep": 1.10}`)); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 20).Draw(t, "writes") {
			token := rapid.Uint64Range(1, 9).Draw(t, "token")
			var err error
			if rapid.Bool().Draw(t, "typed") {
				_, _, err = store.Update(context.Background(), doc, func(s *state) error {
					s.N++
					return s.Fence.Admit(token)
				})
			} else {
				_, err = doc.Update(context.Background(), lease.Guard(token,
					func(old []byte) ([]byte, error) { return sjson.SetBytes(old, "n", n+1) }))
			}
			if refused := token < newest; refused {
				mustBeFenced(t, err, token, newest)
			} else if err != nil {
				t.Fatal(err)
			} else {
				newest, n = token, n+1
			}
			data, _, err := doc.Read(context.Background())
			want := fmt.Sprintf(`{"keep": 1.10,"n":%d,"fence":%d}`, n, newest)
			if n == 0 {
				want = `{"keep": 1.10}`
			}
			if err != nil || !sameMembers(string(data), want) {
				t.Fatalf("%s, want %s, %v", data, want, err)
			}
		}
	})
}

// sameMembers compares two flat objects but for the order of members and white space.
func sameMembers(a, b string) bool {
	var x, y map[string]json.RawMessage
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return fmt.Sprintf("%s", x) == fmt.Sprintf("%s", y)
}

func mustBeFenced(t interface{ Fatalf(string, ...any) }, err error, token, newest uint64) {
	var fenced *lease.FencedError
	if !errors.As(err, &fenced) || fenced.Token != token || fenced.Newest != newest {
		t.Fatalf("%v, want token %d fenced off by %d", err, token, newest)
	}
}

func TestGuardedDocuments(t *testing.T) {
	keep := func(old []byte) ([]byte, error) { return old, nil }
	for _, text := range []string{`[]`, `7`, `{"fence":"x"}`, `{"fence":-1}`, `{"fence":1.5}`} {
		doc := onFile(t, text)
		_, err := doc.Update(t.Context(), lease.Guard(3, keep))
		mustBe(t, err, store.ErrInvalid)
		_, err = doc.Update(t.Context(), lease.Guard(3, func([]byte) ([]byte, error) {
			return []byte(text), nil
		}))
		mustBe(t, err, store.ErrInvalid)
	}
	doc := onFile(t, "")
	_, err := doc.Update(t.Context(), lease.Guard(3, keep))
	must(t, err)
	_, err = doc.Update(t.Context(), lease.Guard(3, func([]byte) ([]byte, error) {
		return []byte(" {\"a\":1}\n"), nil
	}))
	must(t, err)
	if data, _, err := doc.Read(t.Context()); err != nil ||
		string(data) != " {\"a\":1,\"fence\":3}\n" {
		t.Errorf("%s, %v", data, err)
	}
}

// A transaction with Check is made only while the document of the lease is the grant's.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, open := range map[string]func() (*store.DB, error){
		"files":  func() (*store.DB, error) { return store.Open(dir, nil) },
		"memory": func() (*store.DB, error) { return store.New(memdriver.New(), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := open()
			must(t, err)
			defer db.Close()
			ctx, doc, data := t.Context(), db.Doc("lease"), db.Doc("data")
			l := mustAcquire(t, doc, nil)
			var meanwhile func()
			write := func() error {
				runs := 0
				return db.Transact(ctx, func(tx *store.Tx) error {
					if err := l.Check(tx); err != nil {
						return err
					}
					if runs++; runs == 1 && meanwhile != nil {
						done := make(chan struct{})
						go func() { defer close(done); meanwhile() }()
						<-done
					}
					_, err := tx.Add(data, "n", 1)
					return err
				})
			}
			must(t, write())
			must(t, l.Renew(ctx))
			check := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			meanwhile = func() { check(l.Renew(ctx)) }
			must(t, write())
			// The lease passes to another one between Check and the commit.
			meanwhile = func() {
				check(doc.Delete(ctx))
				_, err := lease.Acquire(ctx, doc, &lease.Options{Owner: "bob"})
				check(err)
			}
			mustBe(t, write(), lease.ErrLost, "held by bob")
			if n, _, err := data.Get(ctx, "n"); err != nil || string(n) != "2" {
				t.Errorf("%s, %v", n, err)
			}
		})
	}
}

// Whatever becomes of a lease, its tokens grow.
func TestTokensGrow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{
			"acquire", "release", "renew", "expire", "delete",
		}), 1, 40).Draw(rt, "steps")
		failure := ""
		synctest.Test(t, func(t *testing.T) {
			doc, _ := inMemory(t)
			ctx, newest := t.Context(), uint64(0)
			var l *lease.Lease
			for _, step := range steps {
				time.Sleep(time.Millisecond)
				switch step {
				case "acquire":
					opts := &lease.Options{TTL: time.Second, Wait: -1}
					got, err := lease.Acquire(ctx, doc, opts)
					if err != nil {
						continue
					}
					if l != nil && l.Valid() == nil {
						failure = "two valid grants"
					}
					if got.Token() <= newest {
						failure = fmt.Sprintf("token %d after %d", got.Token(), newest)
					}
					l, newest = got, got.Token()
				case "release":
					if l != nil {
						_ = l.Release(ctx)
					}
				case "renew":
					if l != nil {
						_ = l.Renew(ctx)
					}
				case "expire":
					time.Sleep(7 * time.Second)
				case "delete":
					_ = doc.Delete(ctx)
					l = nil
				}
			}
		})
		if failure != "" {
			rt.Fatalf("%s", failure)
		}
	})
}

// Whatever document is planted: it is refused or held and stays as it is, or it is a lease
// that is free or stale, and the next token is one more.
func TestPlantedLaw(t *testing.T) {
	member := func(name string, values ...string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			value := rapid.SampledFrom(append(values, "", "", "null", "[]")).Draw(t, name)
			if value == "" {
				return ""
			}
			return fmt.Sprintf("%q:%s", name, value)
		})
	}
	old, now := `"1999-01-01T00:00:00Z"`, time.Now().UTC().Format(`"2006-01-02T15:04:05Z"`)
	members := []*rapid.Generator[string]{
		member("token", "7", "7", "7", "0", "-1", "9007199254740991", "1e3", `"7"`),
		member("nonce", `"n"`, `"n"`, `""`, "5"),
		member("owner", `"x"`, `""`), member("host", `"h"`), member("pid", "1", "-1", `"1"`),
		member("granted", old, old, now), member("renewed", old, old, now, `"9999-12-31T23:59:59Z"`),
		member("renewals", "3", "18446744073709551615"),
		member("ttl_ms", "30000", "30000", "0", "-1", "9223372036854775807"),
		member("released", old), member("note", `"x"`),
	}
	outcomes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		for _, m := range members {
			if part := m.Draw(t, "member"); part != "" {
				parts = append(parts, part)
			}
		}
		planted := "{" + strings.Join(parts, ",") + "}"
		db, err := store.New(memdriver.New(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		doc, ctx := db.Doc("lease"), context.Background()
		if _, err := doc.Create(ctx, []byte(planted)); err != nil {
			t.Fatal(err)
		}
		before, statusErr := lease.Status(ctx, doc)
		l, err := lease.Acquire(ctx, doc, noWait)
		data, _, readErr := doc.Read(ctx)
		switch {
		case readErr != nil:
			t.Fatal(readErr)
		case errors.Is(err, store.ErrInvalid) && string(data) == planted:
			outcomes["invalid"]++
		case errors.Is(err, lease.ErrHeld) && statusErr == nil && string(data) == planted:
			outcomes["held"]++
		case err == nil && statusErr == nil && l.Token() == before.Token+1 && l.Valid() == nil:
			outcomes["granted"]++
			if before.Free() == before.Expired(time.Now()) {
				t.Fatalf("granted: %s", planted)
			}
		default:
			t.Fatalf("%s became %s: %v, %v", planted, data, err, statusErr)
		}
	})
	t.Log(outcomes)
}
