// The advice that follows from the figures.

package measure

import (
	"fmt"
	"strings"
	"time"
)

// find returns the row with the same settings as like, if it was measured.
func (r *Report) find(like Update) (Update, bool) {
	for _, u := range r.Updates {
		if u.Section == like.Section && u.Mode == like.Mode && u.Sync == like.Sync &&
			u.Processes == like.Processes &&
			u.Goroutines == like.Goroutines && u.Documents == like.Documents &&
			u.Bytes == like.Bytes {
			return u, u.Measured()
		}
	}
	return Update{}, false
}

// rows returns the measured rows of a section with a durability and a mode, in order.
func (r *Report) rows(section, sync, mode string) (found []Update) {
	for _, u := range r.Updates {
		if u.Section == section && u.Sync == sync && u.Mode == mode && u.Measured() {
			found = append(found, u)
		}
	}
	return found
}

// advise gives advice. It draws no conclusions from rows that were not measured.
func advise(r *Report) (advice []string) {
	say := func(format string,
		args ...any) {
		advice = append(advice, fmt.Sprintf(format, args...))
	}
	if r.Lost != 0 {
		say("UPDATES WERE LOST: %d acknowledged updates are in no document. "+
			"Do not keep documents here; run jsonstore verify.", r.Lost)
	}
	one := Update{Section: byProcesses, Mode: "hash", Processes: 1, Goroutines: 1, Documents: 1,
		Bytes: smallest}
	durable, ordered, volatile := one, one, one
	durable.Sync, ordered.Sync, volatile.Sync = "durable", "ordered", "volatile"
	d, okD := r.find(durable)
	o, okO := r.find(ordered)
	v, okV := r.find(volatile)
	if okD && okO && okV {
		say("A durable update, which survives a power cut, takes %s here; an ordered one, which a "+
			"power cut never tears, %s; and a volatile one %s. %s",
			us(d.MedianUs), us(o.MedianUs), us(v.MedianUs),
			whichSync(d.MedianUs, o.MedianUs, v.MedianUs))
	}
	if text := adviseLocking(r); text != "" {
		say("%s", text)
	}
	if rows := r.rows(byDocuments, "durable", "hash"); len(rows) > 1 && rows[0].RatePerS > 0 {
		first, best := rows[0], rows[0]
		for _, u := range rows[1:] {
			if u.RatePerS > best.RatePerS {
				best = u
			}
		}
		if best.RatePerS > 1.2*first.RatePerS {
			say("%d processes that update one document make %s durable updates a second, and %s "+
				"with %d documents: split data that need not change together.", first.Processes,
				perSecond(first.RatePerS), perSecond(best.RatePerS), best.Documents)
		} else {
			say("%d processes make no more updates on several documents than on one (%s and %s "+
				"durable updates a second): the device is the limit.", first.Processes,
				perSecond(best.RatePerS), perSecond(first.RatePerS))
		}
	}
	if rows := r.rows(byGoroutines, "durable", "hash"); len(rows) > 1 && rows[0].RatePerS > 0 {
		first, last := rows[0], rows[len(rows)-1]
		say("In one process, share a handle among goroutines: %d of them make %s durable updates "+
			"a second, %.1f times as many as one, since waiting updates are combined.",
			last.Goroutines, perSecond(last.RatePerS), last.RatePerS/first.RatePerS)
	}
	if text := adviseTransactions(r); text != "" {
		say("%s", text)
	}
	if rows := r.rows(bySize, "durable", "hash"); len(rows) > 1 {
		first, last := rows[0], rows[len(rows)-1]
		say("An update writes the whole document: one of %s takes %s, against %s for %s. If "+
			"documents grow larger and small parts of them change often, use a database.",
			bytesText(last.Bytes), us(last.MedianUs), us(first.MedianUs), bytesText(first.Bytes))
	}
	if okD {
		most := d.RatePerS
		for _, u := range r.Updates {
			if u.Sync == "durable" && u.Section != byTransaction {
				most = max(most, u.RatePerS)
			}
		}
		say("If you need more than about %s durable updates a second, this disk is too slow for "+
			"jsonstore.", perSecond(most))
	}
	return advice
}

// adviseTransactions compares the durable transactions of one process.
func adviseTransactions(r *Report) string {
	var first Update
	var others []string
	for _, u := range r.rows(byTransaction, "durable", "hash") {
		switch {
		case u.Processes > 1 || u.Goroutines > 1:
		case u.Transaction == 1:
			first = u
		default:
			others = append(others, fmt.Sprintf("%s for %d", us(u.MedianUs), u.Transaction))
		}
	}
	if !first.Measured() || len(others) == 0 {
		return ""
	}
	return fmt.Sprintf("A durable transaction takes %s for one document, %s: documents that must "+
		"change together need not be one.", us(first.MedianUs), strings.Join(others, ", "))
}

func whichSync(durable, ordered, volatile float64) string {
	switch {
	case durable <= 2*volatile:
		return "Durability costs little on this disk: leave it on."
	case ordered <= 2*volatile:
		return fmt.Sprintf("Use durable where every update counts. Where a power cut may undo the "+
			"last updates, ordered costs hardly more than volatile and %.1f times less than "+
			"durable.", durable/ordered)
	}
	return fmt.Sprintf(
		"Use durable where every update counts, ordered (%.1f times faster) where a "+
			"power cut may undo the last updates, and volatile (%.1f times) only for "+
			"documents that can be rebuilt.", durable/ordered, durable/volatile)
}

// adviseLocking compares the two modes with the largest number of processes, where they differ
// most.
func adviseLocking(r *Report) string {
	var faster, slower []string
	processes := 0
	for _, sync := range []string{"durable", "ordered", "volatile"} {
		hash, locking := r.rows(byProcesses, sync, "hash"), r.rows(byProcesses, sync, "locking")
		if len(hash) == 0 || len(locking) == 0 {
			continue
		}
		h, l := hash[len(hash)-1], locking[len(locking)-1]
		if h.Processes != l.Processes || h.RatePerS == 0 {
			continue
		}
		processes = h.Processes
		text := fmt.Sprintf("%.2f %s", l.RatePerS/h.RatePerS, sync)
		if l.RatePerS > 1.1*h.RatePerS {
			faster = append(faster, text)
		} else {
			slower = append(slower, text)
		}
	}
	switch {
	case processes == 0:
		return ""
	case len(faster) == 0:
		return fmt.Sprintf("Locking is not worth it: with %d processes its rates, as multiples of "+
			"those of optimistic updates, are %s.", processes, strings.Join(slower, ", "))
	}
	return fmt.Sprintf("Consider locking if %d processes or more update one document all the "+
		"time: its rates, as multiples of those of optimistic updates, are %s. Otherwise it "+
		"only makes others wait.", processes, strings.Join(append(faster, slower...), ", "))
}

// Microseconds formats a number of microseconds in a suitable unit.
func Microseconds(n float64) string { return us(n) }

func us(n float64) string {
	d := time.Duration(n * 1e3)
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", n/1e3)
	}
	return fmt.Sprintf("%.3g µs", n)
}

// perSecond formats a rate, with commas between the thousands.
func perSecond(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func bytesText(n int) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%g MB", float64(n)/1e6)
	case n >= 1_000:
		return fmt.Sprintf("%g KB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
