// The ways in which watches and migrations are broken.

package proptest

const notifyFile = "internal/notify/notify.go"

var watchMutants = []mutant{
	{"watch: what is bad for a moment is an event", "TestWatchLasts/bad_for", "watching.go", []edit{{
		"	if err != nil && !w.lasts(key, d, state) {\n",
		"	if err != nil && absent && !w.lasts(key, d, state) {\n",
	}}},
	{"watch: what is absent for a moment is an event", "TestWatchLasts/absent_for", "watching.go", []edit{{
		"	if err != nil && !w.lasts(key, d, state) {\n",
		"	if err != nil && !absent && !w.lasts(key, d, state) {\n",
	}}},
	{"watch: bad in any way is bad for long", "TestWatchLasts/bad_in_other_ways", "watching.go", []edit{{
		"ok && d.suspect == state {\n",
		"ok {\n",
	}}},
	{"watch: nobody looks again at what was bad", "TestWatchMissing/hints|TestWatchInvalid/hints", "watching.go", []edit{{
		"	for _, due := range w.due {\n		if due.Before(at) {\n",
		"	for _, due := range w.due {\n		if false && due.Before(at) {\n",
	}}},
	{"watch: what is well again as it was is no event", "TestWatchLasts/bad_and_as_it_was", "watching.go", []edit{{
		"	d.seen, d.sum, d.said = s.version, sum, said\n",
		"	if d.sum, d.said = sum, said; err == nil || absent {\n		d.seen = s.version\n	}\n",
	}, {
		"	if s.version == d.seen && said == d.said",
		"	if s.version == d.seen && (said == d.said || err == nil)",
	}}},
	{"watch: a deletion is not noted", orders + "/^two,_a_deleter_and_a_watcher,|TestWatchLasts/absent", "watching.go", []edit{{
		"	d.seen, d.sum, d.said = s.version, sum, said\n",
		"	if d.sum, d.said = sum, said; !absent {\n		d.seen = s.version\n	}\n",
	}}},
	{"watch: each look is an event", orders + "/two_and_a_watcher,", "watching.go", []edit{{
		"	if s.version == d.seen && said == d.said",
		"	if s.version == d.seen && s.version.IsAbsent() && said == d.said",
	}}},
	{"watch: it begins anew although the version is known", "TestWatchFrom", "watch.go", []edit{{
		"	w.docs[d.key] = &watched{doc: d, seen: after}\n",
		"	w.docs[d.key] = &watched{doc: d}\n",
	}}},
	{"watch: a body that panics leaves the listener", "TestWatchPanics", "watching.go", []edit{{
		"	defer w.unhint() // the body may panic\n",
		"",
	}}},
	{"watch: the end leaves the listener", "TestWatchMany", "route.go", []edit{{
		"func (h *pathHints) close() { h.listener.Close() }",
		"func (h *pathHints) close() {}",
	}}},
	{"watch: it stays with a directory that has moved", "TestWatchDirectoryReplaced", "watching.go", []edit{{
		"	return err != nil || errors.Is(namedErr, ErrNotExist) ||\n		namedErr == nil && !named.SameFile(is)\n",
		"	return err != nil && namedErr == nil && named.SameFile(is)\n",
	}}},
	{"watch: too many hints are forgotten", "TestPendingMany", "hints.go", []edit{{
		"	if p.all = p.all || name == \"\" || len(p.names) >= maxPending; p.all {\n",
		"	if p.all = p.all || name == \"\"; p.all || len(p.names) >= maxPending {\n",
	}}},
	{"watch: links are not listened to", "TestWatchWays/(a_linked_directory|Kubernetes)/hints", "route.go", []edit{{
		"			add(dir, part, in)\n			target, err",
		"			target, err",
	}}},
	{"watch: what does not exist yet is not listened to", "TestWatchMissing/hints", "route.go", []edit{{
		"			add(dir, part, in)\n			return found, nil\n		case err != nil:\n",
		"			return found, nil\n		case err != nil:\n",
	}}},
	{"watch: the way is looked for once", "TestWatchMissing/hints", "route.go", []edit{{
		"	if err := h.aim(); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"watch: a link of a directory makes it look at all", "TestWatchLinkAlone", "route.go", []edit{{
		"			found.keys = append(found.keys, key)\n		}\n		if strings.HasPrefix(name",
		"			return hinted{all: true}\n		}\n		if strings.HasPrefix(name",
	}}},
	{"watch: new directories are not listened to", "TestWatchTree$/hints", "route.go", []edit{{
		"			more = func() ([]notify.Name, error) { return h.find(nil, name) }\n",
		"",
	}}},
	{"watch: a directory made meanwhile is missed", "TestWatchMadeMeanwhile", "route.go", []edit{{
		"		if err != nil || !more {\n			return err == nil\n",
		"		if err != nil || more || !more {\n			return err == nil\n",
	}}},
	{"watch: it does not say that it polls", "TestWatchEngines/plain|TestWatchLimits", "watching.go", []edit{{
		"	event.Polling = w.polling\n",
		"",
	}}},
	{"watch: it polls for ever", "TestWatchLimits", "hints.go", []edit{{
		"	if w.polling != nil && now.Sub(w.triedAt) < lookInterval {\n",
		"	if w.polling != nil {\n",
	}}},
	{"watch: an engine's transaction is not told", "TestConformance/a_watch_is_told", memory, []edit{{
		"		if !c.Keep {\n			d.tell(c.Key)\n",
		"		if !c.Keep && c.Data == nil {\n			d.tell(c.Key)\n",
	}}},
	{"watch: an engine's watch does not end", "TestConformance/a_watch_ends", memory, []edit{{
		"		delete(d.watches, w)\n",
		"",
	}}},
	{"watch: an engine tells of all keys", "TestConformance/a_watch_of_a_prefix", memory, []edit{{
		"		if strings.HasPrefix(key, w.prefix) {\n",
		"		if strings.HasPrefix(w.prefix, \"\") {\n",
	}}},
	{"notify: an overflow leaves what it listens to", "TestOverflow", notifyFile, []edit{{
		"		in.lose(d)\n",
		"		_ = d\n",
	}}},
	{"notify: an overflow is nothing", "TestOverflow|TestSystemOverflow", notifyFile, []edit{{
		"			in.loseAll()\n",
		"",
	}}},
	{"notify: who listened to the directory before is not told", "TestReplaced$", notifyFile, []edit{{
		"	tell(lost, \"\")\n	in.removeLost()\n",
		"	_ = lost\n	in.removeLost()\n",
	}}},
	{"notify: a lost directory stays in the source", "TestReplaced$", notifyFile, []edit{{
		"	in.lost = append(in.lost, d.path)\n",
		"",
	}}},
	{"notify: moved away and back is as before", "TestHub", notifyFile, []edit{{
		"d != nil && (c.named || sameDirectory(c.path, d.at) != nil) {\n",
		"d != nil && sameDirectory(c.path, d.at) != nil {\n",
	}}},
	{"notify: an aid is needed", "TestAid", notifyFile, []edit{{
		"		if name.Aid && errors.Is",
		"		if !name.Aid && errors.Is",
	}}},
	{"notify: another directory is listened to", "TestReplacedWhileAdded", notifyFile, []edit{{
		"		err = sameDirectory(name.Dir, at)\n",
		"		_ = sameDirectory\n",
	}}},
	{"notify: one instance each", "TestWatchMany", "hints.go", []edit{{
		"notify.Process.Listen(func(string, string) { w.pending.note(path) })",
		"new(notify.Hub).Listen(func(string, string) { w.pending.note(path) })",
	}}},
	{"migrate: a newer schema is lowered", "TestMigrate$/newer", "migrate.go", []edit{{
		"		if schema > len(steps) {\n",
		"		if false {\n",
	}, {
		"		if schema == len(steps) {\n",
		"		if schema >= len(steps) {\n",
	}}},
	{"migrate: it begins with the first step", "TestMigrate$/from_one", "migrate.go", []edit{{
		"		for ; schema < len(steps); schema++ {\n",
		"		for schema = 0; schema < len(steps); schema++ {\n",
	}}},
	{"migrate: the layout is the step's", "TestMigrate$/from_none", "migrate.go", []edit{{
		"		merged, err := splice.Merge(old, data, limits)\n",
		"		merged, err := data, error(nil)\n		_ = splice.Merge\n",
	}}},
	{"migrate: a step gets the store's own bytes", "TestMigrate$", "migrate.go", []edit{{
		"		data := bytes.Clone(old)\n",
		"		data := old\n		_ = bytes.Clone\n",
	}}},
}
