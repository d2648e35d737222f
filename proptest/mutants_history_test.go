// The mutants of histories.

package proptest

const (
	historyOrders   = "TestInterleavings/history"
	historySwitched = "TestInterleavings/history_is_switched_on"
	historyTx       = "TestInterleavings/.*with_a_history"
)

var historyMutants = []mutant{
	{"history: the name comes after the publish", historyOrders, "historykeep.go", []edit{{
		"	a.setKey(next)\n	files := a.d.files\n",
		"	a.setKey(next)\n	files := a.d.files\n	if true {\n		return nil\n	}\n",
	}}},
	{"history: other names of the document stay", historyOrders, "historykeep.go", []edit{{
		"			if now.Links > 2 {\n				a.removeTwins(name)\n			}\n",
		"",
	}, {
		"Volatile && a.past.file.Links == 1 {",
		"Volatile {",
	}}},
	{"history: the document is shown as a former version", historyOrders, "history.go", []edit{{
		"!h.current.version.IsAbsent() && info.SameFile(h.current.info):\n",
		"false:\n",
	}, {
		"err == nil && info.SameFile(lastInfo),\n",
		"false,\n",
	}}},
	{"history: ordered by chance", historyOrders, "historyold.go", []edit{{
		"cmp.Or(cmp.Compare(a.Key, b.Key), strings.Compare(a.path, b.path))",
		"cmp.Or(strings.Compare(a.Hash, b.Hash), strings.Compare(a.path, b.path), cmp.Compare(a.Key, b.Key))",
	}}},
	{"history: one too few", historyOrders + ":_two_of_the_last", "historyold.go", []edit{{
		"	if keep > 0 {\n		many = max(0, len(of.known)-keep)\n",
		"	if keep > 0 {\n		many = max(0, len(of.known)-keep+1)\n",
	}}},
	{"history: a failure takes the name back without a look", "TestHistoryOfFailures", "historykeep.go", []edit{{
		"	if err == nil && now.SameFile(a.past.file) {\n		_ = a.d.files.Remove(a.past.entry)\n	}\n",
		"	_, _ = now, err\n	_ = a.d.files.Remove(a.past.entry)\n",
	}}},
	{"history: a name is left after a failure", "TestHistoryOfFailures", "historykeep.go", []edit{{
		"		_ = a.d.files.Remove(a.past.entry)\n",
		"",
	}}},
	{"history: a switch that cannot be seen is off", "TestHistoryOfFailures", "historyswitch.go", []edit{{
		"		return nil, false, fmt.Errorf(\"look whether versions are kept: %w\", err)\n",
		"		return nil, false, nil\n",
	}}},
	{"history: a switch that cannot be read is off", "TestHistoryOfFailures", "historyswitch.go", []edit{{
		"var keepsAll = switchFile{All: &switchEntry{}}",
		"var keepsAll = switchFile{}",
	}}},
	{"history: a switch is kept too long", "TestHistoryOfADirectory", "historyswitch.go", []edit{{
		"	if ok && now.SameFile(then) && now.Size == then.Size && now.Mtime == then.Mtime &&\n		now.Ctime == then.Ctime {\n",
		"	if _ = then; ok {\n",
	}}},
	{"history: a switch does not wait for writers", "TestHistoryWaitsForWriters", "historyset.go", []edit{{
		"		return d.passLock(ctx, path)\n",
		"		return nil\n",
	}}},
	{"history: a directory's switch does not wait for writers", "TestHistoryWaitsForWriters", "historyset.go", []edit{{
		"				err = d.passLock(ctx, filepath.Join(dir, document))\n",
		"				err = nil\n",
	}}},
	{"history: a switch waits for no belief", historySwitched + ":_one_writes,", "historyset.go", []edit{{
		"			err = d.outlastBeliefs(ctx)\n",
		"",
	}}},
	{"history: a directory's switch waits for no belief", historySwitched + ".*of_directory", "historyset.go", []edit{{
		"	if err == nil {\n		err = d.outlastBeliefs(ctx)\n	}\n	if err != nil {\n		return err\n	}\n	return d.eachDirectory",
		"	if err != nil {\n		return err\n	}\n	return d.eachDirectory",
	}}},
	{"history: a switch waits for beliefs after the writers", historySwitched + ":_one_writes,", "historyset.go", []edit{{
		"		if err == nil {\n			err = d.outlastBeliefs(ctx)\n		}\n		if err != nil {\n			return err\n		}\n		return d.passLock(ctx, path)\n",
		"		if err == nil {\n			err = d.passLock(ctx, path)\n		}\n		if err != nil {\n			return err\n		}\n		return d.outlastBeliefs(ctx)\n",
	}}},
	{"history: what was seen is believed for ever", historySwitched + ":_one_writes,", "historyswitch.go", []edit{{
		" && now-b.began < believedFor\n",
		"\n",
	}}},
	{"history: what was seen is believed from the end of the look on", historySwitched + ":_one_writes,", "historyswitch.go", []edit{{
		"belief{now, s}",
		"belief{d.files.Uptime(), s}",
	}}},
	{"history: a stranger's switch is believed of all", "TestHistoryBeliefs", "historyswitch.go", []edit{{
		"err == nil && forAll {",
		"err == nil && (forAll || !forAll) {",
	}}},
	{"history: limits of before remove what was kept since", "TestHistoryRemovedByOldLimits", "historyold.go", []edit{{
		"				if e.Key <= a.past.key {\n",
		"				if e.Key > 0 {\n",
	}}},
	{"history: a directory has its name before its switch", "TestHistoryOfANewDirectory$", "mkdir.go", []edit{{
		"	if above != nil {\n",
		"	if above != nil && false {\n",
	}}},
	{"history: a directory with a switch does not follow the one above", "TestHistorySwitchedWhileADirectoryIsMade", "mkdir.go", []edit{{
		"	return d.followAbove(dir, above)\n",
		"	return nil\n",
	}}},
	{"history: what a dead maker has left stays as it is", "TestHistoryOfADirectoryWhoseMakerDies", "mkdir.go", []edit{{
		"	if err == nil || errors.Is(err, fs.ErrExist) {\n",
		"	if err == nil {\n",
	}}},
	{"history: locks of long names are not waited for", "TestHistoryWaitsForLongNames", "historyset.go", []edit{{
		"names.HasLong(entry.Name)",
		"names.HasLong(\"\")",
	}}},
	{"history: a switch is as small as a document", "TestHistoryOfSmallDocuments", "historyswitch.go", []edit{{
		"d.with(&Options{MaxSize: DefaultMaxSize}).readAll",
		"d.readAll",
	}}},
	{"history: a new directory has no switch", "TestHistorySwitchedWhileADirectoryIsMade", "mkdir.go", []edit{{
		"		err = d.followAbove(dir, nil) // which may have been switched on meanwhile\n",
		"		err = nil\n",
	}}},
	{"history: a stranger switches it", "TestPlantedHistory", "historyswitch.go", []edit{{
		"	if forAll = info.Mode.IsRegular() && info.Links == 1 && isOurs(info.UID); !forAll {\n",
		"	if forAll = true; !forAll {\n",
	}}},
	{"history: a stranger's versions are shown", "TestPlantedHistory|" + historyOrders + ":_two_and_a_stranger", "historyold.go", []edit{{
		"err != nil || info.Mode&fs.ModeSticky == 0 {\n		return all, err\n",
		"true {\n		_ = info.Mode & fs.ModeSticky\n		return all, err\n",
	}}},
	{"history: what was written into is shown", "TestHistoryWrittenInto", "history.go", []edit{{
		"	if hashVersion(data) != version {\n		return nil, from, errRewritten\n	}\n",
		"	_ = errRewritten\n",
	}}},
	{"history: what was written into is recovered", "TestHistoryWrittenInto", "candidates.go", []edit{{
		"		e.Hash != digitsOf(c.Version) {\n",
		"		e.Hash != digitsOf(c.Version) && false {\n",
	}}},
	{"history: an undo of a broken document", "TestUndo", "undo.go", []edit{{
		"		if err := d.checkContent(old); err != nil {\n",
		"		if err := d.checkContent(old); err != nil && false {\n",
	}}},
	{"history: what comes back is for others", "TestHistoryNarrows", "undo.go", []edit{{
		"	if err := a.narrow(from); err != nil {\n		return Absent, false, err\n	}\n",
		"	_ = from\n",
	}}},
	{"history: a transaction keeps none", historyTx, "txcommit.go", []edit{{
		"			err = e.a.look(c.id)\n",
		"			err = nil\n",
	}}},
	{"history: who finishes a transaction keeps none", historyTx, "recover.go", []edit{{
		"	if err := d.keepFinished(path, id, c); err != nil {\n		return err\n	}\n",
		"",
	}}},
	{"history: a list with gaps", "TestHistoryWhileOthersWrite", "history.go", []edit{{
		"		case same, tries == maxLists:\n",
		"		case true || same, tries == maxLists:\n",
	}}},
}
