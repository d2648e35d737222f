package powercut

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jsonstore/jsonstore/journal"
	"github.com/jsonstore/jsonstore/store"
)

// journaling appends to a journal that it shares with others, and rotates it.
const journaling kind = "journal"

// entry is a record of such a process.
type entry struct {
	Name string // of the process, and of no other one
	N    int
	Pad  string
}

func (j job) journal(ctx context.Context) error {
	log, err := openJournal(j.File, j.Opts.Durability, func(journal.Repair) {})
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		// Lines from 30 bytes to two pages.
		value, err := json.Marshal(entry{j.Member, n, strings.Repeat("x", n*n*97%8000)})
		if err == nil {
			_, err = log.Append(ctx, value)
		}
		if err == nil {
			_, err = fmt.Println(n)
		}
		if err != nil {
			return err
		}
	}
}

func openJournal(
	file string, durability store.Durability, repaired func(journal.Repair),
) (*journal.Journal, error) {
	return journal.Open(file, &journal.Options{
		Durability: durability, MaxBytes: 100_000, OnRepair: repaired,
		OnTidy: func(error) {},
	})
}
