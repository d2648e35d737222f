// Command bench compares jsonstore with what a user would pick instead, on the disk of this
// machine, and prints tables.
//
//	go run . --dir /where/the/documents/live --out ../docs/performance.md
//
// A round measures all peers in turn, so that other load on the machine hits them all. The tables
// have the medians of the rounds. Every cell counts lost updates; if jsonstore has lost any, the
// exit code is 1. An empty list of numbers leaves its tables out.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

func main() {
	if encoded := os.Getenv(workerVariable); encoded != "" {
		exitOn(beWorker(encoded))
		return
	}
	exitOn(run())
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// config says what to measure.
type config struct {
	dir        string
	rounds     int
	time       time.Duration
	only       *regexp.Regexp
	processes  []int
	goroutines []int
	documents  []int
	sizes      []int
	directory  []int // numbers of documents in a directory
	// numbers of documents in a transaction
	transactions []int
	kills        int // of processes that make transactions, for each peer
	levels       []store.Durability
	updates      bool // measure nothing but updates and transactions
	out          string
}

func parse() (c config, err error) {
	var only, processes, goroutines, documents, sizes, directory, transactions, levels string
	flag.StringVar(&c.dir, "dir", "",
		"measure in this `directory`, which must exist; default: a temporary one")
	flag.IntVar(&c.rounds, "rounds", 5, "measure everything `N` times and take the median")
	flag.DurationVar(&c.time, "time", time.Second,
		"measure each cell for this `time` in each round")
	flag.StringVar(&only, "only", "", "measure only the peers whose name matches this `expression`")
	flag.StringVar(&processes, "processes", "1,2,8,32", "numbers of processes on one document")
	flag.StringVar(&goroutines, "goroutines", "1,8,64", "numbers of goroutines on one document")
	flag.StringVar(&documents, "documents", "64,1000",
		"numbers of documents that 64 goroutines update")
	flag.StringVar(&sizes, "sizes", "200,10240,1048576", "sizes of documents in bytes")
	flag.StringVar(&directory, "directory", "1000,10000,100000",
		"numbers of documents in a directory")
	flag.StringVar(&transactions, "transactions", "2,10", "numbers of documents in a transaction")
	flag.IntVar(&c.kills, "kills", 100,
		"kill `N` processes of each peer in the middle of transactions, and count how often some "+
			"of the documents are changed and others not; 0 leaves that out")
	flag.StringVar(&levels, "durability", "durable,ordered,volatile",
		"some of `durable, ordered, volatile`")
	flag.BoolVar(&c.updates, "updates", false, "measure updates and transactions, and nothing else")
	flag.StringVar(&c.out, "out", "", "write the tables to this `file`, "+
		"between the lines <!-- figures --> and <!-- /figures -->")
	flag.Parse()
	if flag.NArg() > 0 || c.rounds < 1 || c.time <= 0 || c.kills < 0 {
		return c, fmt.Errorf("want flags only, and positive numbers; see go run . -help")
	}
	for _, name := range strings.Split(levels, ",") {
		at := slices.IndexFunc(allLevels, func(d store.Durability) bool {
			return d.String() == name
		})
		if at < 0 {
			return c, fmt.Errorf("want durable, ordered or volatile, separated by commas, not %q",
				levels)
		}
		c.levels = append(c.levels, allLevels[at])
	}
	c.only, err = regexp.Compile(only)
	for _, list := range []struct {
		text string
		into *[]int
	}{
		{processes, &c.processes}, {goroutines, &c.goroutines}, {documents, &c.documents},
		{sizes, &c.sizes}, {directory, &c.directory},
		{transactions, &c.transactions},
	} {
		if list.text == "" {
			continue // leave these tables out
		}
		for _, field := range strings.Split(list.text, ",") {
			n, parseErr := strconv.Atoi(field)
			if parseErr != nil || n < 1 {
				return c, fmt.Errorf("want positive numbers, separated by commas, not %q",
					list.text)
			}
			*list.into = append(*list.into, n)
		}
	}
	return c, err
}

var allLevels = []store.Durability{store.Durable, store.Ordered, store.Volatile}

// goroutinesBase is the base of the ratios where several goroutines of a process update.
const goroutinesBase = "SQLite (modernc)"

// section is one table.
type section struct {
	title string
	base  string
	cells []cell
}

func (c config) sections() []section {
	var all []section
	names := func(want func(p peer) bool) (found []string) {
		for _, p := range peers() {
			if c.only.MatchString(p.name) && !p.onlyTransacts && (want == nil || want(p)) {
				found = append(found, p.name)
			}
		}
		return found
	}
	add := func(title string, peers []string, c cell) {
		s := section{title: title, base: base}
		for _, name := range peers {
			c.Peer = name
			s.cells = append(s.cells, c)
		}
		all = append(all, s)
	}
	for _, durability := range c.levels {
		for _, n := range c.processes {
			fits := func(p peer) bool { return n == 1 || !strings.HasPrefix(p.name, "the bare") }
			add(fmt.Sprintf("%v, %d %s", durability, n, plural("process", "processes", n)),
				names(fits),
				cell{Durability: durability, Processes: n, Goroutines: 1, Size: 200})
		}
	}
	extremes := c.extremes()
	for _, durability := range extremes {
		for _, n := range c.goroutines {
			if n > 1 {
				add(fmt.Sprintf("%v, %d goroutines of one process", durability, n),
					names(func(p peer) bool { return p.goroutines }),
					cell{Durability: durability, Processes: 1, Goroutines: n, Size: 200})
				all[len(all)-1].base = goroutinesBase
			}
		}
	}
	for _, durability := range extremes {
		for _, n := range c.documents {
			add(fmt.Sprintf("%v, 64 goroutines on %s documents", durability, thousands(float64(n))),
				names(func(p peer) bool { return p.many }),
				cell{Durability: durability, Processes: 1, Goroutines: 64, Documents: n, Size: 200})
			all[len(all)-1].base = goroutinesBase
		}
	}
	for _, durability := range extremes {
		for _, size := range c.sizes {
			if size != 200 {
				add(fmt.Sprintf("%v, documents of %s bytes", durability, thousands(float64(size))),
					names(nil),
					cell{Durability: durability, Processes: 1, Goroutines: 1, Size: size})
			}
		}
	}
	return append(all, c.transactionSections(extremes)...)
}

// extremes are the levels without ordered.
func (c config) extremes() []store.Durability {
	return slices.DeleteFunc(slices.Clone(c.levels),
		func(d store.Durability) bool { return d == store.Ordered })
}

func plural(one, many string, n int) string {
	if n == 1 {
		return one
	}
	return many
}

func run() error {
	c, err := parse()
	if err != nil {
		return err
	}
	top, err := os.MkdirTemp(c.dir, "jsonstore-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)
	sections := c.sections()
	cells := 0
	for _, s := range sections {
		cells += len(s.cells)
	}
	fmt.Fprintf(os.Stderr, "bench: %d cells, %d rounds of %v: about %.0f minutes\n",
		cells, c.rounds, c.time,
		(time.Duration(cells*c.rounds)*(c.time+200*time.Millisecond)).Minutes()+2)
	var tables strings.Builder
	tables.WriteString(c.describe(top))
	lost := 0
	for i, s := range sections {
		fmt.Fprintf(os.Stderr, "bench: %d of %d: %s\n", i+1, len(sections), s.title)
		figures := c.measure(top, s)
		for _, f := range figures {
			if strings.HasPrefix(f.cell.Peer, "jsonstore") {
				lost += f.lost
				if f.missing != nil {
					return fmt.Errorf("%s, %s: %w", s.title, f.cell.Peer, f.missing)
				}
			}
		}
		tables.WriteString(updatesTable(s.title, s.base, figures))
	}
	text, err := c.halves(top)
	if err != nil {
		return err
	}
	tables.WriteString(text)
	if !c.updates {
		program, err := built(top)
		if err != nil {
			return err
		}
		for _, more := range []func(top, program string) (string, error){
			c.reads, c.commands, c.directories,
		} {
			text, err := more(top, program)
			if err != nil {
				return err
			}
			tables.WriteString(text)
		}
	}
	if err := writeTables(c.out, tables.String()); err != nil {
		return err
	}
	if lost != 0 {
		return fmt.Errorf("jsonstore has lost %d updates", lost)
	}
	return nil
}

// measure measures a section. Each round has another order, since the writes that one peer
// leaves to the disk slow down the next.
func (c config) measure(top string, s section) []*figure {
	figures := make([]*figure, len(s.cells))
	for i := range figures {
		figures[i] = &figure{cell: s.cells[i]}
	}
	for range c.rounds {
		for _, i := range rand.Perm(len(figures)) {
			f := figures[i]
			if f.missing == nil {
				m, err := f.cell.measure(top, c.time)
				f.add(m, c.time, err)
			}
		}
	}
	return figures
}

// describe names the machine and the peers.
func (c config) describe(top string) string {
	files := fsys.New()
	kind, err := files.Type(top)
	if err != nil {
		kind = "unknown: " + err.Error()
	}
	order := "the portable order"
	if files.OneJournal(top) {
		order = "the order for one journal"
	}
	args := slices.Clone(os.Args[1:])
	for i := range args {
		switch {
		case i > 0 && args[i-1] == "--dir":
			args[i] = "…"
		case args[i] == "":
			args[i] = "''"
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %d cores, file system %s (jsonstore flushes in %s), %s. ",
		time.Now().Format("2006-01-02"), kernel(), runtime.NumCPU(), kind, order, runtime.Version())
	fmt.Fprintf(&b, "`go run . %s` in `bench/`.\n\n", strings.Join(args, " "))
	for _, p := range peers() {
		if c.only.MatchString(p.name) {
			fmt.Fprintf(&b, "- %s: %s.\n", p.name, p.about)
		}
	}
	b.WriteByte('\n')
	return b.String()
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(release))
}
