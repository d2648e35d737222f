package lease_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tidwall/sjson"

	"github.com/jsonstore/jsonstore/driver/memdriver"
	"github.com/jsonstore/jsonstore/lease"
	"github.com/jsonstore/jsonstore/store"
)

func openExample() *store.DB {
	db, err := store.New(memdriver.New(), nil)
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// Work that one process at a time does. The context ends when the lease is lost.
func ExampleWith() {
	ctx, db := context.Background(), openExample()
	defer db.Close()

	opts := &lease.Options{TTL: 10 * time.Second, Owner: "ada"}
	err := lease.With(ctx, db.Doc("leader"), opts,
		func(ctx context.Context, l *lease.Lease) error {
			r, err := lease.Status(ctx, db.Doc("leader"))
			fmt.Println("held by", r.Owner)
			return err
		})
	if err != nil {
		log.Fatal(err)
	}
	r, err := lease.Status(ctx, db.Doc("leader"))
	fmt.Println("free:", r.Free(), err)
	// Output:
	// held by ada
	// free: true <nil>
}

// The late write of a holder that was suspended, and whose lease has passed to another
// one: the document has seen a newer token, and refuses it.
func ExampleFence() {
	type account struct {
		Balance int         `json:"balance"`
		Fence   lease.Fence `json:"fence"`
	}
	ctx, db := context.Background(), openExample()
	defer db.Close()
	deposit := func(token uint64, amount int) error {
		_, _, err := store.Update(ctx, db.Doc("account"), func(a *account) error {
			a.Balance += amount
			return a.Fence.Admit(token)
		})
		return err
	}

	first, err := lease.Acquire(ctx, db.Doc("lease"), &lease.Options{TTL: time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("first:", deposit(first.Token(), 10))
	// The first holder is suspended. A second one waits until the lease is stale.
	second, err := lease.Acquire(ctx, db.Doc("lease"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("second:", deposit(second.Token(), 10))
	// The first one goes on.
	err = deposit(first.Token(), 1000)
	fmt.Println("first is fenced off:", errors.Is(err, lease.ErrFenced))
	a, _, err := store.Read[account](ctx, db.Doc("account"))
	fmt.Println(a.Balance, err)
	// Output:
	// first: <nil>
	// second: <nil>
	// first is fenced off: true
	// 20 <nil>
}

// A guarded write to a document without a Go type.
func ExampleLease_Guard() {
	ctx, db := context.Background(), openExample()
	defer db.Close()
	l, err := lease.Acquire(ctx, db.Doc("lease"), nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = db.Doc("state").Create(ctx, []byte(`{"size": 1.10}`))
	if err != nil {
		log.Fatal(err)
	}
	_, err = db.Doc("state").Update(ctx, l.Guard(func(old []byte) ([]byte, error) {
		return sjson.SetBytes(old, "done", true)
	}))
	data, _, _ := db.Doc("state").Get(ctx, "done")
	fence, _, _ := db.Doc("state").Get(ctx, "fence")
	fmt.Println(string(data), string(fence) == fmt.Sprint(l.Token()), err)
	// Output: true true <nil>
}

// A transaction that is made only while this process holds the lease. The documents need
// no fence.
func ExampleLease_Check() {
	ctx, db := context.Background(), openExample()
	defer db.Close()
	l, err := lease.Acquire(ctx, db.Doc("lease"), nil)
	if err != nil {
		log.Fatal(err)
	}
	pay := func() error {
		return db.Transact(ctx, func(tx *store.Tx) error {
			if err := l.Check(tx); err != nil {
				return err
			}
			if _, err := tx.Add(db.Doc("ada"), "balance", -5); err != nil {
				return err
			}
			_, err := tx.Add(db.Doc("bob"), "balance", 5)
			return err
		})
	}
	fmt.Println(pay())
	if err := l.Release(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(pay(), lease.ErrLost))
	balance, _, err := db.Doc("bob").Get(ctx, "balance")
	fmt.Println(string(balance), err)
	// Output:
	// <nil>
	// true
	// 5 <nil>
}
