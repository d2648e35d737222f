//go:build !windows

package store

// sampledTransactions are of more processes than all orders can be tried of.
func sampledTransactions(all map[string]simulation) {
	plans := []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ba"}, {name: "V", docs: "bc",
		reads: "a"},
		{name: "W", docs: "c", reads: "ab", ends: true}}
	for mode, opts := range simulatedModes {
		if mode == "mtime" {
			continue // there the intents are the same
		}
		for name, s := range map[string]txScenario{
			"two with one home, a death and a reader": {plans: []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ac"}},
				readers: []string{"ba"}, deaths: 1},
			"two, the deaths of both, and writers": {plans: []txPlan{{name: "T", docs: "ab"}, {name: "U", docs: "ab"}},
				writers: "ab", readers: []string{"ab"}, deaths: 2},
			"one, its death, writers and the death of one": {plans: []txPlan{{name: "T", docs: "ab"}}, writers: "ab", deaths: 2},
			"four beside everything": {plans: plans, writers: "abc", readers: []string{"abc", "cba"},
				views: []string{"ab", "cb"}, sweeper: "abc", deaths: 2},
			"four that create, beside everything": {plans: plans, writers: "ab", readers: []string{"ab", "ba"},
				views: []string{"abc"}, sweeper: "ab", deaths: 1, absent: true},
			"four in two orders": {plans: plans, writers: "b", views: []string{"abc"}, deaths: 1, bound: 2,
				crossed: map[string]bool{"U": true}},
			"three, one of which deletes": {plans: append([]txPlan{{name: "D", docs: "ab", delete: true}}, plans[:2]...),
				views: []string{"ab", "ba"}, sweeper: "ab", deaths: 1},
		} {
			if mode != "hash" && len(s.plans) > 2 {
				continue // they take long
			}
			s.opts = opts
			all["tx: "+name+", "+mode] = simulation{deaths: s.deaths, setup: s.setup}
		}
	}
}
