// The report as a page: one self-contained file with charts, for light and dark, for paper and for
// phones.

package measure

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

const style = `
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #1c1b19; --soft: #5e5a52;
  --rule: #dcd8cf; --card: #ffffff; --c0: #0b62a4; --c1: #c2500a; --c2: #1a7f5a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #16171a; --ink: #eae8e3; --soft: #a5a19a;
  --rule: #34363c; --card: #1d1f23; --c0: #6db6f2; --c1: #f0a060; --c2: #5fcf9f; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 Charter,
  "Bitstream Charter", "Iowan Old Style", Georgia, serif; overflow-wrap: break-word; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.15; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; line-height: 1.25; margin: 3rem 0 .3rem; padding-top: .9rem;
  border-top: 1px solid var(--rule); }
h3 { font: 600 .95rem/1.3 system-ui, sans-serif; margin: 0 0 .2rem; }
p { max-width: 42rem; margin: .5rem 0; }
.where, .note, figcaption { color: var(--soft); }
.where, .note { font: .85rem/1.5 system-ui, sans-serif; max-width: 46rem; }
.lead { font-size: 1.12rem; margin: 1.2rem 0; }
.bad { color: var(--bad); font-weight: 600; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18.5rem), 1fr));
  gap: 1rem; margin: 1rem 0; }
figure { margin: 0; padding: .9rem .8rem .7rem; background: var(--card);
  border: 1px solid var(--rule); border-radius: 6px; min-width: 0; max-width: 34rem; }
.chart { display: block; width: 100%; height: auto; }
.chart text { font-family: system-ui, sans-serif; fill: var(--soft); font-size: 14.5px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.faint { stroke-dasharray: 1 4; }
.axis { stroke: var(--soft); stroke-width: 1; }
.line { fill: none; stroke-width: 2.4; stroke-linejoin: round; }
.range { stroke-width: 2.4; }
.mark { stroke: var(--card); stroke-width: 1.4; }
.s0 .line, .s0 .range { stroke: var(--c0); } .s0 .mark { fill: var(--c0); }
.s1 .line, .s1 .range { stroke: var(--c1); } .s1 .line { stroke-dasharray: 7 4; } .s1 .mark {
  fill: var(--c1); }
.s2 .line, .s2 .range { stroke: var(--c2); } .s2 .line { stroke-dasharray: 2 4; } .s2 .mark {
  fill: var(--c2); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .3rem 0 0;
  padding: 0; font: .82rem/1.5 system-ui, sans-serif; color: var(--soft); }
.legend li { display: flex; align-items: center; gap: .4rem; }
.key { width: 28px; height: 14px; flex: none; }
.unit { font: .8rem/1.3 system-ui, sans-serif; color: var(--soft); margin: 0 0 .3rem; }
details { margin: .4rem 0 0; font: .85rem/1.5 system-ui, sans-serif; }
summary { cursor: pointer; color: var(--soft); padding: .3rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: .82rem/1.45 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem .22rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; }
code { font: .9em ui-monospace, Menlo, Consolas, monospace; }
ol { padding-left: 1.3rem; max-width: 42rem; } li { margin: .4rem 0; }
.legend li { margin: 0; }
@media print { details { display: block; } }
`

// Page returns the report as a page.
func (r *Report) Page() []byte {
	var b strings.Builder
	text := html.EscapeString
	fmt.Fprintf(&b, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>jsonstore on %s</title><link rel="icon" href="data:,"/><style>%s</style></head><body><main>
`, text(r.Dir), style)
	fmt.Fprintf(&b, "<h1>How fast is jsonstore here?</h1>\n<p class=\"where\">%s</p>\n",
		text(r.where()))
	if r.Lost != 0 {
		fmt.Fprintf(&b, `<p class="lead bad">%s</p>`, text(r.Advice[0]))
	} else if len(r.Advice) > 0 {
		fmt.Fprintf(&b, `<p class="lead">%s</p>`, text(r.Advice[0]))
	}
	b.WriteString("\n")
	for _, s := range r.parts() {
		s.write(&b)
	}
	b.WriteString("<h2>What follows</h2>\n<ol>\n")
	for _, advice := range r.Advice {
		fmt.Fprintf(&b, "<li>%s</li>\n", text(advice))
	}
	b.WriteString("</ol>\n")
	fmt.Fprintf(&b, `<p class="note">Each row was measured once, for the same time, one row after `+
		`the other, with processes that begin together, %.0f s in all. For reliable figures, `+
		`measure again, for longer, on an idle machine. An update reads the document, increments `+
		`a number in it and writes it back. Every number was compared with the updates `+
		`acknowledged. To measure again: <code>%s</code></p>`+"\n",
		r.Seconds, text(r.Command))
	b.WriteString("</main></body></html>\n")
	return []byte(b.String())
}

func (r *Report) where() string {
	m := r.Machine
	parts := []string{r.Dir, r.Date, m.System}
	if m.Kernel != "" {
		parts = append(parts, "kernel "+m.Kernel)
	}
	parts = append(parts, fmt.Sprintf("%d cores", m.Cores))
	if m.FileSystem != "" {
		parts = append(parts, m.FileSystem)
	}
	parts = append(parts, m.FlushOrder+" flush sequence", "jsonstore "+m.Program, m.Go)
	return strings.Join(parts, " · ")
}

// part is a section of the page: a heading, a text, charts, and a table of the figures.
type part struct {
	title, text string
	charts      []chart
	head        []string
	rows        [][]string
}

func (p part) write(b *strings.Builder) {
	text := html.EscapeString
	fmt.Fprintf(b, "<h2>%s</h2>\n<p>%s</p>\n<div class=\"panels\">\n", text(p.title), text(p.text))
	for _, c := range p.charts {
		if c.empty() {
			continue
		}
		fmt.Fprintf(b, "<figure><h3>%s</h3><p class=\"unit\">%s</p>%s%s</figure>\n", text(c.title),
			text(c.y), c.svg(), c.legend())
	}
	b.WriteString("</div>\n<details><summary>The figures</summary><div " +
		"class=\"scroll\"><table><thead><tr>")
	for _, h := range p.head {
		fmt.Fprintf(b, "<th>%s</th>", text(h))
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, row := range p.rows {
		b.WriteString("<tr>")
		for _, cell := range row {
			fmt.Fprintf(b, "<td>%s</td>", text(cell))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></div></details>\n")
}

// over returns the series of some rows, one for each name.
func over(rows []Update, x func(Update) int, name func(Update) string,
	y func(Update) (value, high float64)) (all []series) {
	for _, u := range rows {
		if !u.Measured() {
			continue
		}
		i := slices.IndexFunc(all, func(s series) bool { return s.name == name(u) })
		if i < 0 {
			all = append(all, series{name: name(u)})
			i = len(all) - 1
		}
		value, high := y(u)
		all[i].points = append(all[i].points, point{float64(x(u)), value, high})
	}
	return all
}

func (r *Report) section(section string, want func(Update) bool) (found []Update) {
	for _, u := range r.Updates {
		if u.Section == section && (want == nil || want(u)) {
			found = append(found, u)
		}
	}
	return found
}

var names = map[string]string{"hash": "optimistic, by hash", "mtime": "optimistic, by time",
	"locking": "locking"}

func mode(u Update) string                { return names[u.Mode] }
func level(u Update) string               { return u.Sync }
func rate(u Update) (float64, float64)    { return u.RatePerS, 0 }
func latency(u Update) (float64, float64) { return u.MedianUs, u.P999Us }
func fair(u Update) (float64, float64)    { return u.Fairness, 0 }
func processesOf(u Update) int            { return u.Processes }
func goroutinesOf(u Update) int           { return u.Goroutines }
func documentsOf(u Update) int            { return u.Documents }
func transactionOf(u Update) int          { return u.Transaction }
func bytesOf(u Update) int                { return u.Bytes }
func isShared(u Update) bool              { return isHash(u) && u.Processes > 1 }
func isHash(u Update) bool                { return u.Mode == "hash" }

// wide reports whether the rates differ so much that only a logarithmic axis shows them all.
func wide(all []series) bool {
	low, high := 0.0, 0.0
	for _, s := range all {
		for _, p := range s.points {
			if low == 0 || p.y < low {
				low = p.y
			}
			high = max(high, p.y, p.high)
		}
	}
	return low > 0 && high > 20*low
}

// draw returns a chart of rates.
func draw(title, x string, log bool, lines []series) chart {
	return chart{title: title, x: x, y: "updates a second", logX: log,
		logY: wide(lines), zeroY: !wide(lines), series: lines, format: short}
}

func (r *Report) parts() []part {
	var rates []chart
	for _, level := range levels {
		isLevel := func(u Update) bool { return u.Sync == level.String() }
		title := strings.ToUpper(level.String()[:1]) + level.String()[1:]
		rates = append(rates, draw(title, "processes", true,
			over(r.section(byProcesses, isLevel), processesOf, mode, rate)))
	}
	hash := r.section(byProcesses, isHash)
	return []part{
		{title: "Processes that update one document",
			text: "All of them want the same document all the time, which is the worst case. " +
				"An update that loses takes the lock for its next attempt; locking takes it " +
				"at once.",
			charts: rates, head: updateHead, rows: updateRows(r.section(byProcesses, nil))},
		{title: "How long one update takes",
			text: "From the median, marked, to the 99.9th percentile: optimistic, by hash. " +
				"Beside it, how evenly the updates are spread over the processes.",
			charts: []chart{
				{title: "Latency", x: "processes", y: "median to 99.9 %", logX: true, logY: true,
					series: over(hash, processesOf, level, latency), format: us},
				{title: "Fairness", x: "processes",
					y:    "updates of the slowest process over those of the fastest",
					logX: true, zeroY: true, format: short,
					series: over(r.section(byProcesses, isShared), processesOf, level, fair)},
			}, head: latencyHead, rows: latencyRows(hash)},
		{title: "Goroutines of one process",
			text: "They share a handle. Updates that wait while a version is made durable are " +
				"published together.",
			charts: []chart{draw("One document", "goroutines", true,
				over(r.section(byGoroutines, nil), goroutinesOf, level, rate))},
			head: updateHead, rows: updateRows(r.section(byGoroutines, nil))},
		{title: "What grows",
			text: "An update writes the whole document, so its size counts. " +
				"On several documents, processes conflict less.",
			charts: []chart{
				draw("Size of the document, one process", "bytes", true,
					over(r.section(bySize, nil), bytesOf, level, rate)),
				draw("Number of documents, all processes", "documents", true,
					over(r.section(byDocuments, nil), documentsOf, level, rate)),
			},
			head: updateHead,
			rows: updateRows(append(r.section(bySize, nil), r.section(byDocuments, nil)...))},
		r.transactionPart(),
		r.readPart(),
	}
}

// transactionPart is of transactions: of one process as they grow, and of many.
func (r *Report) transactionPart() part {
	alone := func(u Update) bool { return u.Processes == 1 && u.Goroutines == 1 }
	p := part{title: "Transactions",
		text: "A transaction updates several documents, all or none. Documents of its own are in " +
			"no other one's transactions; where there are as many documents as a transaction " +
			"has, all want the same.",
		charts: []chart{draw("One process", "documents of a transaction", true,
			over(r.section(byTransaction, alone), transactionOf, level, rate))},
		head: []string{"", "documents at once", "processes", "goroutines", "documents",
			"transactions/s", "median, µs", "99.9 %, µs", "conflicts", "retries", "escalations",
			"lock waits", "lost", "failed"}}
	p.charts[0].y = "transactions a second"
	for _, u := range r.section(byTransaction, nil) {
		row := append([]string{u.Sync}, texts(u.Transaction, u.Processes, u.Goroutines,
			u.Documents)...)
		if u.Measured() {
			row = append(row, texts(u.RatePerS, u.MedianUs, u.P999Us, u.Conflicts, u.Retries,
				u.Escalations, u.LockWaits, u.Lost, u.Failed)...)
		} else {
			row = append(row, "not measured: "+u.Failure)
		}
		p.rows = append(p.rows, row)
	}
	return p
}

func (r *Report) readPart() part {
	first, unchanged := series{name: "the first read"}, series{name: "unchanged since"}
	p := part{title: "Reads",
		text: "The first read of a document reads and checks it. While it stays unchanged, a " +
			"read is one system call.",
		head: []string{"bytes", "first read, µs", "unchanged, µs"}}
	for _, row := range r.Reads {
		first.points = append(first.points, point{x: float64(row.Bytes), y: row.FirstUs})
		unchanged.points = append(unchanged.points,
			point{x: float64(row.Bytes), y: row.UnchangedUs})
		p.rows = append(p.rows, texts(row.Bytes, row.FirstUs, row.UnchangedUs))
	}
	p.charts = []chart{{title: "One read", x: "bytes", y: "median", logX: true, logY: true,
		series: []series{first, unchanged}, format: us}}
	return p
}

var (
	updateHead = []string{"", "processes", "goroutines", "documents", "bytes", "updates/s",
		"conflicts", "retries", "escalations", "lock waits", "lost", "failed"}
	latencyHead = []string{"", "processes", "median, µs", "99.9 %, µs", "longest, µs",
		"slowest/fastest", "updates"}
)

func updateRows(all []Update) (rows [][]string) {
	for _, u := range all {
		row := append([]string{u.Sync + ", " + u.Mode},
			texts(u.Processes, u.Goroutines, u.Documents, u.Bytes)...)
		if u.Measured() {
			row = append(row, texts(u.RatePerS, u.Conflicts, u.Retries, u.Escalations, u.LockWaits,
				u.Lost, u.Failed)...)
		} else {
			row = append(row, "not measured: "+u.Failure)
		}
		rows = append(rows, row)
	}
	return rows
}

func texts(figures ...any) (all []string) {
	for _, figure := range figures {
		all = append(all, fmt.Sprint(figure))
	}
	return all
}

func latencyRows(all []Update) (rows [][]string) {
	for _, u := range all {
		if u.Measured() {
			rows = append(rows, append([]string{u.Sync}, texts(u.Processes, u.MedianUs, u.P999Us,
				u.LongestUs, u.Fairness, u.Updates)...))
		}
	}
	return rows
}
