// Counter counts the words of its input, in a document that other processes count in as well.
//
//	cat *.txt | counter words.json
//
// Each line is counted on a goroutine of its own. They share one handle, so that those that wait
// are combined into one durable write. "jsonstore get words.json the" prints a count.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/jsonstore/jsonstore/store"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "counter:", err)
		os.Exit(1)
	}
}

// atOnce is how many lines are counted at once.
const atOnce = 64

func run(ctx context.Context, args []string, in io.Reader) error {
	if len(args) != 1 {
		return errors.New("usage: counter FILE <TEXT")
	}
	doc, err := store.OpenFile(args[0], nil)
	if err != nil {
		return err
	}
	defer doc.Close()
	lines := make(chan string)
	var counting sync.WaitGroup
	errs := make([]error, atOnce)
	for i := range errs {
		counting.Go(func() {
			for line := range lines {
				errs[i] = errors.Join(errs[i], count(ctx, doc, line))
			}
		})
	}
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		lines <- scanner.Text()
	}
	close(lines)
	counting.Wait()
	return errors.Join(append(errs, scanner.Err())...)
}

// count counts the words of a line: all of them, or none if there is an error.
func count(ctx context.Context, doc *store.Doc, line string) error {
	words := strings.Fields(strings.ToLower(line))
	_, _, err := store.Update(ctx, doc, func(counts *map[string]int) error {
		if *counts == nil {
			*counts = map[string]int{}
		}
		for _, word := range words {
			(*counts)[word]++
		}
		return nil
	})
	return err
}
