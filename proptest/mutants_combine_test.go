// The mutants of the state machine that combines callers.

package proptest

// everyOrder is the exploration that notices a mutant, unless a caller waits for ever.
const everyOrder = "TestEveryOrder/"

const (
	combineLine   = "internal/combine/line.go"
	combineCaller = "internal/combine/caller.go"
	combineAnswer = "internal/combine/answer.go"
)

var combineMutants = []mutant{
	{"combine: leave while publishing",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"c.state == built && l.step == Wait\n",
			"c.state == built && (l.step == Wait || l.step == Publish)\n",
		}}},
	{"combine: leave at any time",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"c.state == built && l.step == Wait\n",
			"c.state == built\n",
		}}},
	{"combine: one leaves, and what was built on it is published",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"		l.built--\n		l.forget(o)\n		o.Forget = true\n",
			"		l.built--\n",
		}}},
	{"combine: who wants to leave does not when the lock is waited for",
		everyOrder + "two_alike$", combineLine, []edit{{
			"		l.leaveEnded(o)\n",
			"",
		}}},
	{"combine: a change that cancels out is not confirmed",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	default:\n		l.decide(o)\n	}\n}\n\n// decide",
			"	default:\n		l.finish(Report[S]{}, o)\n	}\n}\n\n// decide",
		}}},
	{"combine: what changes nothing is confirmed without the lock",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	case !l.locked:\n",
			"	case !l.locked && l.publishes:\n",
		}}},
	{"combine: what one who came late kept is not looked at again",
		everyOrder + "one_of_any_kind|" + everyOrder + "three_alike,_locking", combineLine, []edit{{
			"	case l.under && !l.anyLate():\n",
			"	case l.under:\n",
		}}},
	{"combine: what is confirmed is not made durable",
		everyOrder + "two_alike$", combineLine, []edit{{
			"		if r.Outcome == OK {\n			l.do(&o, Settle)",
			"		if r.Outcome == OK {\n			l.finish(r, &o)",
		}}},
	{"combine: who kept what another changed is not told that it may be undone",
		everyOrder + "three_alike,_faults", combineAnswer, []edit{{
			"		return Answer{Version: AsRead, Err: r.Err}\n",
			"		return Answer{Version: AsRead}\n",
		}}},
	{"combine: nobody knows, and who kept is told that it went well",
		everyOrder + "three_alike,_faults", combineAnswer, []edit{{
			"	case r.Outcome == Unknown:\n		return",
			"	case r.Outcome == Unknown && !found:\n		return",
		}}},
	{"combine: nobody comes late",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"	c.late = true\n",
			"",
		}}},
	{"combine: who comes while the document is read is not late",
		everyOrder + "two_alike$", combineLine, []edit{{
			"		l.read, l.last = r.State, r.State\n",
			"		l.read, l.last = r.State, r.State\n" +
				"		for _, c := range l.list {\n			c.late = false\n" +
				"		}\n",
		}}},
	{"combine: what was confirmed is another version",
		everyOrder + "two_alike$", combineLine, []edit{{
			"		if r.Outcome == OK {\n			l.do(&o, Settle)",
			"		if r.Outcome != Failed {\n			l.do(&o, Settle)",
		}}},
	{"combine: earlier callers wait for later ones",
		everyOrder + "two_alike$", combineLine, []edit{{
			"		l.closed = true\n		if l.built > 0 {",
			"		l.closed = true\n		if l.built > 0 && false {",
		}}},
	{"combine: what a cut function returns counts",
		everyOrder + "three_alike$", combineCaller, []edit{{
			"	if c.state == cut {\n",
			"	if c.state == cut && r.Kind != Put {\n",
		}}},
	{"combine: a place in line given up",
		everyOrder + "three_alike$", combineCaller, []edit{{
			"	c.state = waiting\n	switch {\n",
			"	c.state = waiting\n	i := slices.Index(l.list, c)\n" +
				"	l.list = append(slices.Delete(l.list, i, i+1), c)\n" +
				"	switch {\n",
		}}},
	{"combine: who is cut is not waited for",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	if len(l.list) == 0 || l.list[0].state == cut {\n",
			"	if len(l.list) == 0 {\n",
		}}},
	{"combine: who is cut runs again",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	if c.state == cut || !l.Together(",
			"	if !l.Together(",
		}}},
	{"combine: a failure of several told to all",
		everyOrder + "two_alike$", combineAnswer, []edit{{
			"	if l.built == 1 {\n",
			"	for l.built > 1 {\n		c := l.list[0]\n" +
				"		l.remove(c)\n		l.built--\n		o.answer(c, Answer{Err: " +
				"r.Err})\n	}\n	if l.built == 1 {\n",
		}}},
	{"combine: what failed for several tried again as it was",
		everyOrder + "three,_some_too_large", combineAnswer, []edit{{
			"			c.alone = true\n",
			"			_ = c\n",
		}}},
	{"combine: a batch of its own is joined",
		everyOrder + "three,_some_too_large", combineLine, []edit{{
			"!l.closed && !l.alone && !only",
			"!l.closed && !only",
		}}},
	{"combine: what runs once only joins a batch",
		everyOrder + "three,_some_too_large", combineLine, []edit{{
			"!l.alone && !only &&",
			"!l.alone && (!only || c.alone == false) &&",
		}}},
	{"combine: without end",
		everyOrder + "three_alike,_batches_of_two", combineLine, []edit{{
			" && l.built < l.Most\n",
			"\n",
		}}},
	{"combine: another group joins",
		everyOrder + "three_of_two_groups", combineLine, []edit{{
			"	if c.state == cut || !l.Together(l.group, c.Group) {",
			"	if c.state == cut {",
		}}},
	{"combine: a batch that is closed goes on",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	return !l.closed && ",
			"	return ",
		}}},
	{"combine: again after nobody knows",
		everyOrder + "two_alike$", combineLine, []edit{{
			"		case NotDurable, Unknown:\n",
			"		case NotDurable:\n",
		}}},
	{"combine: again after it may be undone",
		everyOrder + "two_alike$", combineLine, []edit{{
			"		case NotDurable, Unknown:\n",
			"		case Unknown:\n",
		}}},
	{"combine: that it may be undone is hidden",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	case Settle:\n		l.finish(r, &o)",
			"	case Settle:\n		l.finish(Report[S]{}, &o)",
		}}},
	{"combine: nobody knows, and it is told what it saw",
		everyOrder + "three_alike,_faults", combineAnswer, []edit{{
			"found && !c.late || r.Outcome != Unknown",
			"found || r.Outcome != Unknown",
		}}},
	{"combine: who wants to leave stays after a try in vain",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"		c.state = waiting\n		if c.ended {",
			"		c.state = waiting\n		if c.ended && false {",
		}}},
	{"combine: the lock is kept when nobody is there",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	o.Close = true\n",
			"	o.Close = len(l.list) > 0\n",
		}}},
	{"combine: who gives up is answered before who came earlier",
		everyOrder + "three,_some_hasty", combineAnswer, []edit{{
			"			err = c.cause\n",
			"			i++\n			continue\n",
		}}},
	{"combine: no escalation",
		"TestStarvation", combineLine, []edit{{
			"	return head.LockAfter >= 0 && (",
			"	return head.LockAfter == 0 && (",
		}}},
	{"combine: a request for the lock not inherited, and conflicts counted, not runs",
		"TestStarvation", combineLine, []edit{{
			"head.runs >= head.LockAfter || l.eager > 0)",
			"head.conflicts >= head.LockAfter)",
		}, {
			"	if len(l.list) == 0 || l.list[0].state == cut || !l",
			"	if len(l.list) == 0 || l.list[0].state == cut || !l.lockFirst(l.list[0]) || !l",
		}}},
	{"combine: a refusal of what another changed is told at once",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"		if l.puts == 0 && !c.late {",
			"		if !c.late {",
		}}},
	{"combine: a refusal of one who came late is told at once",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"		if l.puts == 0 && !c.late {",
			"		if l.puts == 0 {",
		}}},
	{"combine: a refusal told after it ran again",
		everyOrder + "three_alike$", combineCaller, []edit{{
			"	c.refusal = nil\n",
			"",
		}}},
	{"combine: unique: what cancels out is not published",
		everyOrder + "two_alike,_split,_unique", combineLine, []edit{{
			"l.puts > 0 && l.Unique(l.last) || ",
			"",
		}}},
	{"combine: the failure of the first told to who is first now",
		everyOrder + "two_alike$", combineAnswer, []edit{{
			"	if head := l.lead; head != nil {",
			"	if len(l.list) > 0 {\n		head := l.list[0]",
		}}},
	{"combine: the failure of the first told to nobody if others were before it",
		everyOrder + "(three,_some_too_large|two_of_any)", combineLine, []edit{{
			"			l.lead = c ",
			"			_ = c ",
		}}},
	{"combine: one that did not return is told that it did",
		everyOrder + "two_alike$", combineCaller, []edit{{
			"	case Gone:\n		l.remove(c)\n	case Refuse:",
			"	case Gone:\n		l.build(c)\n	case Refuse:",
		}}},
	{"combine: everybody gets the version of the whole",
		everyOrder + "two_alike$", combineAnswer, []edit{{
			"	case c.at < l.puts:\n",
			"	case c.at < 0:\n",
		}}},
	{"combine: an alarm for a batch disturbs a step",
		everyOrder + "two_alike$", combineLine, []edit{{
			"	case Pause:\n		l.begin(&o)\n",
			"	default:\n		l.begin(&o)\n",
		}}},
	{"combine: no more tries than allowed: one more",
		everyOrder + "three,_some_hasty", combineAnswer, []edit{{
			"c.runs >= c.MaxRuns || c.GiveUpAt",
			"c.runs > c.MaxRuns || c.GiveUpAt",
		}}},
}
