// The crowds of which all orders are tried out, and those of which some are.

package store

import "fmt"

// sizedCrowd is a crowd that is small; or middle, in one mode and large in the others;
// or large.
type sizedCrowd struct {
	size string
	crowd
}

var (
	appender, appenderLeaves = caller{deed: appends}, caller{deed: appends, leaves: true}
	appenderSlow             = caller{deed: appends, slow: true}
	adder, adderLeaves       = caller{deed: adds}, caller{deed: adds, leaves: true}
	adderSlow                = caller{deed: adds, slow: true, leaves: true}
	taker, takerLeaves       = caller{deed: takes}, caller{deed: takes, leaves: true}
	keeper, refuser          = caller{deed: keeps}, caller{deed: refuses}
	keeperSlow               = caller{deed: keeps, slow: true}
	panicker, remover        = caller{deed: panics}, caller{deed: deletes}
)

func crowdTable() map[string]sizedCrowd {
	const names, number = `["x"]`, "5"
	beside, deleter := []deed{appends}, []deed{deletes}
	all := map[string]sizedCrowd{}
	add := func(size, name string, s crowd, callers ...caller) {
		s.callers = callers
		all[name] = sizedCrowd{size, s}
	}
	counted := crowd{start: number}
	add("small", "cancel out", counted, adderSlow, taker)
	add("large", "three cancel out", counted, adder, takerLeaves, adder)
	counted.holder = true
	add("small", "cancel out and a holder", counted, adderLeaves, taker)
	counted.holder, counted.others = false, []deed{adds}
	add("middle", "cancel out beside one", counted, adderLeaves, taker)
	add("large", "cancel out slowly beside one", counted, adderSlow, taker)
	add("large", "cancel out and both leave beside one", counted, adderLeaves, takerLeaves)

	named := crowd{start: names}
	add("small", "two", named, appenderSlow, appenderSlow)
	add("middle", "three", named, appender, appender, appender)
	add("large", "three, slow", named, appenderSlow, appender, appender)
	add("large", "three, one leaves", named, appenderSlow, appenderLeaves, appender)
	add("small", "one keeps, one refuses", named, appender, keeper, refuser)
	add("small", "a death", crowd{start: names, deaths: 1}, appenderSlow, appenderLeaves)
	add("middle", "each event", crowd{start: names, fine: true}, appender, appender)
	add("large", "one leaves, each event", crowd{start: names, fine: true}, appenderLeaves,
		appender)

	held := crowd{start: names, holder: true}
	add("small", "one leaves and a holder", held, appenderLeaves, appender)
	add("middle", "both leave and a holder", held, appenderLeaves, appenderLeaves)
	held.lasting = true
	add("small", "one leaves a lasting holder", held, appenderLeaves, appender)
	held.lasting, held.sweeps = false, true
	add("small", "one leaves, a holder and a sweep", held, appenderLeaves, appender)
	held.sweeps, held.deaths = false, 1
	add("middle", "one leaves, a holder and a death", held, appenderLeaves, appender)
	held.deaths, held.others = 0, beside
	add("large", "one leaves, a holder and one beside", held, appenderLeaves, appender)

	near := crowd{start: names, others: beside}
	add("small", "two beside one", near, appender, appender)
	add("middle", "one leaves beside one", near, appenderLeaves, appender)
	add("small", "two keep beside one", near, keeperSlow, keeper)
	add("small", "one refuses beside one", near, appender, refuser)
	add("small", "one panics beside one", near, appenderSlow, panicker)
	add("small", "one deletes beside one", near, appender, remover)
	add("large", "three beside one", near, appender, appenderLeaves, appender)
	near.start = ""
	add("small", "two that create beside one", near, appender, appender)

	deadly := crowd{start: names, others: beside, deaths: 1}
	add("large", "a death beside one", deadly, appenderLeaves, appender)
	deadly.sweeps = true
	add("large", "two, a sweep and a death beside one", deadly, appender, appender)
	deadly.others = nil
	add("middle", "two, a sweep and a death", deadly, appender, appender)

	add("small", "two and a deleter", crowd{start: names, others: deleter}, appender, appender)
	deadly.others, deadly.sweeps = deleter, false
	add("middle", "two, a deleter and a death", deadly, appender, appender)
	add("large", "one leaves, a deleter and a death", deadly, appenderLeaves, appender)
	double := crowd{start: names, second: []caller{appender, appender}}
	add("large", "two handles", double, appender, appender)
	add("large", "two handles, one leaves", double, appender, appenderLeaves)
	return all
}

// crowds adds them to the simulations.
func crowds(all map[string]simulation) {
	for name, s := range crowdTable() {
		for mode, opts := range simulatedModes {
			s := s
			s.opts = opts
			large := s.size == "large" || s.size == "middle" && mode != "hash"
			all["crowd: "+name+", "+mode] = simulation{s.deaths, s.setup, large, s.size == "middle"}
		}
	}
}

// sampledCrowds adds those of which only some orders can be tried.
func sampledCrowds(all map[string]simulation) {
	for mode, opts := range simulatedModes {
		named := crowd{opts: opts, start: `["x"]`, holder: true, deaths: 1, sweeps: true}
		named.others = []deed{appends, deletes}
		named.callers = []caller{appenderSlow, appenderLeaves, keeper, refuser, appenderLeaves,
			panicker}
		named.second = []caller{appender, appenderLeaves, remover, appenderSlow}
		counted := crowd{opts: opts, start: "5", holder: true, others: []deed{takes}}
		counted.callers = []caller{adderSlow, takerLeaves, adderLeaves, taker}
		counted.second = []caller{adder, takerLeaves, adderLeaves, taker}
		for name, s := range map[string]crowd{
			"six, four and one of everything": named,
			"four and four that count":        counted,
		} {
			all[fmt.Sprintf("crowd: %s, %s", name, mode)] = simulation{deaths: s.deaths,
				setup: s.setup}
		}
	}
}
