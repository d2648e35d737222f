// The mutants of the shell, which carries out the orders of the state machine.

package proptest

// crowds are the simulations of goroutines of one handle.
const crowds = "TestInterleavings/crowd:_"

var shellMutants = []mutant{
	{"shell: results not copied", crowds + "two,", "call.go", []edit{{
		"		return docState{}, false\n	}\n	old.data = bytes.Clone(old.data)\n",
		"		return docState{}, false\n	}\n",
	}}},
	{"shell: functions get the bytes that were read", "TestFunctionsMayChangeWhatTheyGet", "retry.go", []edit{{
		"			old.data = bytes.Clone(old.data) // which stays nil\n",
		"			old.data = bytes.TrimSuffix(old.data, nil)\n",
	}}},
	{"shell: a result that is no longer waited for is looked at", crowds + "two,", "call.go", []edit{{
		"	if !c.order.shared {\n",
		"	if !c.order.shared || c.order.shared {\n",
	}}},
	{"shell: a late stop stops the next alarm", "TestLateStop$", "combine.go", []edit{{
		"	if !l.armed && l.machine.Step() != combine.Pause {\n",
		"	if l.machine.Step() != combine.Pause {\n",
	}}},
	{"shell: a late stop ends no pause", "TestLateStopInPause", "combine.go", []edit{{
		"	if !l.armed && l.machine.Step() != combine.Pause {\n",
		"	if !l.armed {\n",
	}}},
	{"shell: the first function has the alarm of its batch", "TestSlowInEachBatch", "combine.go", []edit{{
		"l.armed, w.arms = o.Alarm, o.Alarm && !l.armed",
		"l.armed, w.arms = true, o.Alarm && !l.armed",
	}}},
	{"shell: a try is not closed", crowds + "two_keep_beside_one,", "combine.go", []edit{{
		"		w.ended.attempt.Close()\n",
		"",
	}}},
	{"shell: what is left is not released", crowds + "one_leaves_and_a_holder,", "combine.go", []edit{{
		"		w.forget.forget()\n",
		"",
	}}},
	{"shell: what is released is not waited for", crowds + "one_leaves,_a_holder_and_a_sweep,", "step.go", []edit{{
		"	if t.forgotten != nil {\n",
		"	if t.forgotten != nil && false {\n",
	}}},
	{"shell: a panic is not reported", crowds + "one_panics_beside_one,", "call.go", []edit{{
		"		if !returned {\n",
		"		if !returned && false {\n",
	}}},
	{"shell: who is to leave waits for the lock", crowds + "one_leaves_a_lasting_holder,", "combine.go", []edit{{
		"w.Do == combine.Wait && self.mayLeave())",
		"w.Do == combine.Wait && self.mayLeave() && false)",
	}}},
	{"shell: the version of the last for all", crowds + "two,", "call.go", []edit{{
		"	case combine.AsFound:\n",
		"	case combine.AsFound, combine.Own:\n",
	}, {
		"	if a.Version == combine.Own && c.made.exists {\n",
		"	if false {\n",
	}}},
	{"shell: who leaves is not heard", crowds + "one_leaves_a_lasting_holder,", "call.go", []edit{{
		"			ended = nil\n			c.end()\n",
		"			ended = nil\n",
	}}},
	{"expect: the version that was read is not looked at", "TestExpect", "expect.go", []edit{{
		"	if d.expect == nil || *d.expect == have {\n",
		"	if d.expect == nil || have == have {\n",
	}}},
	{"expect: one follows others in a batch", "TestExpectInABatch", "expect.go", []edit{{
		"		return new(solo)\n",
		"		return d.opts\n",
	}}},
	{"expect: two share a batch", "TestExpectEachOther", "expect.go", []edit{{
		"		return new(solo)\n",
		"		return solo(0)\n",
	}}},
}
