// The crowds of which all orders are tried out, and those of which some are.

package store

import "fmt"

// sizedCrowd is a crowd in the middle of the night, or not.
type sizedCrowd struct {
	size string
	crowd
}

// crowds adds them to the simulations.
func crowds(all map[string]simulation) {
	const names, number = `["x"]`, "5"
	plus, minus := caller{deed: adds}, caller{deed: takes}
	leaver := caller{deed: appends, leaves: true}
	slow := caller{deed: appends, slow: true}
	name, keeper, refuser, panicker := caller{deed: appends}, caller{deed: keeps}, caller{deed: refuses}, caller{deed: panics}
	slowPlus, slowLeaver := caller{deed: adds, slow: true}, caller{deed: adds, slow: true, leaves: true}
	for what, s := range map[string]sizedCrowd{
		"two":                              {"small", crowd{callers: []caller{slow, slow}, start: names}},
		"two and a death":                  {"small", crowd{callers: []caller{slow, leaver}, start: names, deaths: 1}},
		"cancel out":                       {"small", crowd{callers: []caller{slowLeaver, minus}, start: number}},
		"cancel out beside one":            {"small", crowd{callers: []caller{slowLeaver, minus}, others: []deed{adds}, start: number}},
		"cancel out, both leave":           {"small", crowd{callers: []caller{{deed: adds, leaves: true}, {deed: takes, leaves: true}}, others: []deed{adds}, start: number}},
		"cancel out and a holder":          {"small", crowd{callers: []caller{{deed: adds, leaves: true}, minus}, holder: true, start: number}},
		"one leaves beside one":            {"small", crowd{callers: []caller{leaver, name}, others: []deed{appends}, start: names}},
		"one leaves beside one, a death":   {"small", crowd{callers: []caller{leaver, name}, others: []deed{appends}, start: names, deaths: 1}},
		"two and a deleter":                {"small", crowd{callers: []caller{slow, name}, others: []deed{deletes}, start: names}},
		"one leaves, a deleter, a death":   {"small", crowd{callers: []caller{leaver, name}, others: []deed{deletes}, start: names, deaths: 1}},
		"both leave, and a holder":         {"small", crowd{callers: []caller{leaver, leaver}, holder: true, start: names}},
		"one leaves, a holder and a death": {"small", crowd{callers: []caller{leaver, name}, holder: true, start: names, deaths: 1}},
		"one leaves, a holder and one":     {"small", crowd{callers: []caller{leaver, name}, holder: true, others: []deed{appends}, start: names}},
		"two keep beside one":              {"small", crowd{callers: []caller{keeper, keeper}, others: []deed{appends}, start: names}},
		"one keeps, one refuses":           {"small", crowd{callers: []caller{slow, keeper, refuser}, start: names}},
		"one refuses beside one":           {"small", crowd{callers: []caller{name, refuser}, others: []deed{appends}, start: names}},
		"one panics beside one":            {"small", crowd{callers: []caller{slow, panicker}, others: []deed{appends}, start: names}},
		"three":                            {"small", crowd{callers: []caller{slow, name, name}, start: names}},
		"three, one leaves":                {"small", crowd{callers: []caller{slow, leaver, name}, start: names}},
		"three cancel out":                 {"small", crowd{callers: []caller{slowPlus, {deed: takes, leaves: true}, plus}, start: number}},
		"three beside one":                 {"small", crowd{callers: []caller{name, leaver, name}, others: []deed{appends}, start: names}},
		"one deletes":                      {"small", crowd{callers: []caller{name, {deed: deletes}}, others: []deed{appends}, start: names}},
		"two that create":                  {"small", crowd{callers: []caller{slow, name}, others: []deed{appends}}},
		"two handles":                      {"small", crowd{callers: []caller{name, leaver}, second: []caller{name, name}, start: names}},
		"two, each event":                  {"small", crowd{callers: []caller{leaver, name}, start: names, fine: true}},
		"cancel out, each event":           {"small", crowd{callers: []caller{slowLeaver, minus}, start: number, fine: true}},
		"two and a sweep":                  {"small", crowd{callers: []caller{leaver, name}, others: []deed{appends}, start: names, sweeps: true, deaths: 1}},
	} {
		for mode, opts := range simulatedModes {
			s := s
			s.opts = opts
			all[fmt.Sprintf("crowd: %s, %s", what, mode)] = simulation{s.deaths, s.setup, s.size == "large", s.size == "middle"}
		}
	}
}
