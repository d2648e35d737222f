// The test of transactions: processes that move units between documents and are killed, and an
// auditor that always has to see the same sum.

package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/store"
)

// The documents of the test, and the units in each at the start.
const (
	accounts = 6
	opening  = 100
)

func account(dir string, i int) string {
	return filepath.Join(dir, "account"+strconv.Itoa(i)+".json")
}

// openAccounts opens all documents. The caller calls the function at the end.
func openAccounts(dir string, way Way) (docs []*store.Doc, closeAll func(), err error) {
	closeAll = func() {
		for _, doc := range docs {
			doc.Close()
		}
	}
	for i := range accounts {
		doc, err := store.OpenFile(account(dir, i), way.options())
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		docs = append(docs, doc)
	}
	return docs, closeAll, nil
}

// transfer moves a unit from one document to another.
func transfer(ctx context.Context, from, to *store.Doc) error {
	return store.Transact(ctx, func(tx *store.Tx) error {
		if _, err := tx.Add(from, "units", -1); err != nil {
			return err
		}
		_, err := tx.Add(to, "units", 1)
		return err
	})
}

// transfer is the role of a worker that moves units at random.
func (w *worker) transfer(ctx context.Context) error {
	docs, closeAll, err := openAccounts(w.File, w.Way)
	if err != nil {
		return err
	}
	defer closeAll()
	if err := w.begin(); err != nil {
		return err
	}
	for n := 1; n == 1 || !w.ended.Load(); n++ {
		pair := rand.Perm(accounts)
		if err := w.tools.Transfer(ctx, docs[pair[0]], docs[pair[1]]); err != nil {
			return err
		}
		if err := w.tell(strconv.Itoa(n)); err != nil {
			return err
		}
	}
	return nil
}

// transfers kills processes in the middle of transactions.
func (r *runner) transfers(ctx context.Context, c *Check, dir string, way Way,
	last time.Duration) error {
	c.Processes = r.Processes
	docs, closeAll, err := openAccounts(dir, way)
	if err != nil {
		return err
	}
	defer closeAll()
	for _, doc := range docs {
		if _, err := doc.Create(ctx, fmt.Appendf(nil, `{"units":%d}`, opening)); err != nil {
			return err
		}
	}
	err = StoreTools.Transfer(ctx, docs[0], docs[1])
	if errors.Is(err, store.ErrUnsupported) {
		c.Text = "there are no transactions on this system"
		return nil
	}
	if err != nil {
		return err
	}
	var (
		slots sync.WaitGroup
		mu    sync.Mutex
		errs  []error
	)
	end := time.Now().Add(last)
	for range r.Processes {
		slots.Go(func() {
			for first := true; first || time.Now().Before(end) && ctx.Err() == nil; first = false {
				count, err := r.killOne(ctx, task{Role: roleTransfer, File: dir, Way: way})
				mu.Lock()
				c.Updates += count.Acknowledged
				if count.Killed {
					c.Kills++
				}
				errs = append(errs, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		slots.Wait()
	}()
	audited := r.audits(ctx, c, docs, killed)
	<-killed
	if err := crew.First(append(errs, audited)...); err != nil {
		return err
	}
	return r.closeAccounts(ctx, c, dir, docs)
}

// audits adds up the units of all documents, in view after view, until the processes have ended.
func (r *runner) audits(
	ctx context.Context, c *Check, docs []*store.Doc, ended <-chan struct{},
) error {
	for last := false; !last; c.Views++ {
		select {
		case <-ended:
			last = true
		default:
		}
		sum := 0
		err := store.View(ctx, func(tx *store.Tx) error {
			sum = 0
			for _, doc := range docs {
				account, err := store.TxRead[struct{ Units int }](tx, doc)
				if err != nil {
					return err
				}
				sum += account.Units
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := CheckSum("a view", sum); err != nil {
			return err
		}
	}
	return nil
}

// CheckSum checks the units that somebody found in all documents.
func CheckSum(who string, sum int) error {
	if want := accounts * opening; sum != want {
		return fmt.Errorf("%s found %d units, not %d: it saw half a transaction, or one was lost",
			who, sum, want)
	}
	return nil
}

// closeAccounts writes each document, which finishes what the dead ones have left, sweeps, and
// looks at the files as any program does.
func (r *runner) closeAccounts(
	ctx context.Context, c *Check, dir string, docs []*store.Doc,
) error {
	for i, doc := range docs {
		if err := StoreTools.Transfer(ctx, doc, docs[(i+1)%len(docs)]); err != nil {
			return err
		}
		if _, _, err := doc.Sweep(ctx); err != nil {
			return err
		}
	}
	sum, known := 0, map[string]bool{}
	for i := range docs {
		data, err := readPlainly(account(dir, i))
		if err != nil {
			return err
		}
		units, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(string(data),
			`{"units":`), "}"))
		if err != nil {
			return fmt.Errorf("a document is %.60q: %w", data, err)
		}
		sum += units
		name := filepath.Base(account(dir, i))
		known[name], known["."+name+".lock"] = true, true
	}
	if err := CheckSum("a program that reads the files", sum); err != nil {
		return err
	}
	entries, err := r.Files.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !known[entry.Name] {
			return fmt.Errorf("%s was left, which a sweep should have removed", entry.Name)
		}
	}
	c.Text = fmt.Sprintf("%d processes killed in %d transfers between %d documents; "+
		"%d views of them saw one sum; no litter", c.Kills, c.Updates, accounts, c.Views)
	return nil
}
