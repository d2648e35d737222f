// Bank is accounts in files, and several processes that transfer money between them, while an
// auditor adds all accounts up. Now and then a process is killed in the middle of what it does.
// The auditor always sees the same sum.
//
//	go run ./examples/bank -time 5s
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jsonstore/jsonstore/store"
)

// account is one document. Members that it does not have stay when it is written.
type account struct {
	Balance int `json:"balance"`
}

const opening = 100 // of each account

func key(i int) string { return "accounts/" + strconv.Itoa(i) }

// errBalance: there is too little in the account. It ends the transaction, and nothing is
// changed.
var errBalance = errors.New("the balance is too low")

// transfer moves an amount from one account to another. Its function may run more than once.
func transfer(ctx context.Context, db *store.DB, from, to, amount int) error {
	return db.Transact(ctx, func(tx *store.Tx) error {
		if _, err := store.TxUpdate(tx, tx.Doc(key(from)), func(a *account) error {
			if a.Balance < amount {
				return errBalance
			}
			a.Balance -= amount
			return nil
		}); err != nil {
			return err
		}
		_, err := store.TxUpdate(tx, tx.Doc(key(to)), func(a *account) error {
			a.Balance += amount
			return nil
		})
		return err
	})
}

// audit adds up all accounts as they are at one moment.
func audit(ctx context.Context, db *store.DB) (sum int, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		sum = 0
		keys, err := tx.Keys("accounts/")
		if err != nil {
			return err
		}
		for _, key := range keys {
			a, err := store.TxRead[account](tx, tx.Doc(key))
			if err != nil {
				return err
			}
			sum += a.Balance
		}
		return nil
	})
	return sum, err
}

// workerVariable makes this program a worker: its value is the directory.
const workerVariable = "BANK_WORKER"

// work transfers at random until the process is killed, and prints a line for each transfer.
func work(dir string) error {
	ctx := context.Background()
	db, err := store.Open(dir, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	accounts := 0
	for _, err := range db.Keys(ctx, "accounts/") {
		if err != nil {
			return err
		}
		accounts++
	}
	for {
		pair := rand.Perm(accounts)
		err := transfer(ctx, db, pair[0], pair[1], 1+rand.IntN(30))
		if err != nil && !errors.Is(err, errBalance) {
			return err
		}
		if _, err := fmt.Println(err == nil); err != nil {
			return err
		}
	}
}

func main() {
	if dir, is := os.LookupEnv(workerVariable); is {
		fmt.Fprintln(os.Stderr, work(dir))
		os.Exit(1)
	}
	var b bank
	flag.IntVar(&b.accounts, "accounts", 10, "how many accounts there are")
	flag.IntVar(&b.processes, "processes", 4, "how many processes transfer at once")
	flag.DurationVar(&b.lasts, "time", 3*time.Second, "how long they do so")
	flag.DurationVar(&b.lives, "kill", 100*time.Millisecond, "after what time a process is killed")
	flag.StringVar(&b.dir, "dir", "", "an empty directory (default: a temporary one)")
	flag.Parse()
	if err := b.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bank:", err)
		os.Exit(1)
	}
}

// bank is a run of the program.
type bank struct {
	dir                 string
	accounts, processes int
	lasts, lives        time.Duration

	made, refused, killed, audits atomic.Int64
}

func (b *bank) run(ctx context.Context) error {
	if b.accounts < 2 || b.processes < 1 {
		return errors.New("want at least two accounts and one process")
	}
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "bank")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		b.dir = dir
	}
	db, err := store.Open(b.dir, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	// All accounts are opened in one transaction too.
	if err := db.Transact(ctx, func(tx *store.Tx) error {
		for i := range b.accounts {
			content := fmt.Appendf(nil, "{\n  \"owner\": \"customer %d\",\n  \"balance\": %d\n}\n",
				i, opening)
			if err := tx.Create(tx.Doc(key(i)), content); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := b.storm(ctx, db); err != nil {
		return err
	}
	fmt.Printf("%d transfers, %d refused, %d processes killed, %d audits: always %d in all\n",
		b.made.Load(), b.refused.Load(), b.killed.Load(), b.audits.Load(), b.accounts*opening)
	return b.inspect(ctx, db)
}

// storm lets processes transfer and die, and audits meanwhile.
func (b *bank) storm(ctx context.Context, db *store.DB) error {
	ctx, cancel := context.WithTimeout(ctx, b.lasts)
	defer cancel()
	var processes sync.WaitGroup
	errs := make(chan error, b.processes)
	for range b.processes {
		processes.Go(func() {
			for ctx.Err() == nil {
				if err := b.process(ctx); err != nil {
					errs <- err
					cancel()
					return
				}
			}
		})
	}
	var audited error
	for audited == nil && ctx.Err() == nil {
		audited = b.audit(db)
	}
	cancel()
	processes.Wait()
	close(errs)
	return errors.Join(audited, <-errs, b.audit(db))
}

func (b *bank) audit(db *store.DB) error {
	sum, err := audit(context.Background(), db)
	if err != nil {
		return err
	}
	b.audits.Add(1)
	if want := b.accounts * opening; sum != want {
		return fmt.Errorf("an audit found %d, not %d", sum, want)
	}
	return nil
}

// process starts a worker, and kills it (SIGKILL, or what corresponds to it) after a random
// time, or when the context ends.
func (b *bank) process(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.lives/2+rand.N(b.lives+1))
	defer cancel()
	cmd := exec.CommandContext(ctx, self) // which it kills when the context ends
	cmd.Env = append(os.Environ(), workerVariable+"="+b.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "true" {
			b.made.Add(1)
		} else {
			b.refused.Add(1)
		}
	}
	err = cmd.Wait()
	if ctx.Err() == nil {
		return fmt.Errorf("a process ended by itself: %w", err)
	}
	b.killed.Add(1)
	return nil
}

// inspect finishes what the dead have left, as the next transfers would, and prints the files.
func (b *bank) inspect(ctx context.Context, db *store.DB) error {
	left := 0
	for i := range b.accounts {
		swept, _, err := db.Doc(key(i)).Sweep(ctx)
		if err != nil {
			return err
		}
		left += len(swept)
	}
	fmt.Printf("%d files of dead processes were cleaned up\n", left)
	for i := range b.accounts {
		data, _, err := db.Doc(key(i)).Read(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%s.json %q\n", key(i), data)
	}
	return nil
}
