// The ways in which views, and reads beside transactions, are broken.

package proptest

var viewMutants = []mutant{
	{"view: a look that failed counts as unchanged", "TestSecondLookFails$", "still.go", []edit{{
		"			same, err := e.isStill()\n",
		"			same, err := e.isStill()\n			if err != nil {\n				same, err = true, nil\n			}\n",
	}}},
	{"view: a look that failed in an engine counts as unchanged", "TestSecondLookFailsInEngine", "still.go", []edit{{
		"		return &txConflict{err}\n	}\n	return err\n",
		"		return &txConflict{err}\n	}\n	return nil\n",
	}}},
	{"view: no second look", "TestViewSeesHomeChange", "tx.go", []edit{{
		"		return tx.recheck()\n",
		"		return nil\n",
	}}},
	{"view: a refusal without a second look", "TestSecondLookFails$|TestKeysRefused", "tx.go", []edit{{
		"	switch again := tx.recheck().(type) {\n",
		"	switch again := error(nil).(type) {\n",
	}}},
	{"view: intents are looked for last", orders + "/view:_one_and_a_view_that_ends,_the_other_way,_hash", "still.go", []edit{{
		"	found, err := d.intentAt(path)\n",
		"	first, firstErr := d.files.Lstat(path)\n	found, err := d.intentAt(path)\n",
	}, {
		"	now, err := d.files.Lstat(path)\n	if err != nil && !errors.Is(err, fs.ErrNotExist) {\n		return false, err\n",
		"	now, err := first, firstErr\n	if err != nil && !errors.Is(err, fs.ErrNotExist) {\n		return false, err\n",
	}}},
	{"view: an intent that came is not noticed", "TestOtherIntentComes", "still.go", []edit{{
		"	if found.there != before.intent.there || found.raw != before.intent.raw {\n",
		"	if false {\n",
	}}},
	{"view: links are not followed again", "TestViewLinkMoves", "still.go", []edit{{
		"	if moved, err := e.a.moved(); err != nil || moved != \"\" {\n",
		"	if moved, err := \"\", error(nil); err != nil || moved != \"\" {\n",
	}}},
	{"view: the home is not asked again", "TestViewSeesHomeChange", "still.go", []edit{{
		"		if err != nil || committed != before.committed {\n",
		"		if _ = committed; err != nil {\n",
	}}},
	{"view: the file is not looked at again", "TestForeignBesideIntent", "still.go", []edit{{
		"	same := read.isAt(now, exists)\n",
		"	same := true || read.isAt(now, exists)\n",
	}}},
	{"view: what is published meanwhile has changed", "TestPublishedMeanwhile", "still.go", []edit{{
		"	same := read.isAt(now, exists)\n",
		"	same := before.replaced == nil && read.isAt(now, exists)\n",
	}}},
	{"view: what is not published has changed", "TestViewBesideStopped", "still.go", []edit{{
		"		same = same || before.replaced.isAt(now, exists)\n",
		"",
	}}},
	{"view: an absent one is looked at last", orders + "/view:_flips:_(one|the_other),_", "still.go", []edit{{
		"	for _, absent := range []bool{true, false} {",
		"	for _, absent := range []bool{false, true} {",
	}}},
	{"view: several absent ones without locks", "TestAbsentComesAndGoes", "still.go", []edit{{
		"			if absent && moments > 1 {\n",
		"			if absent && moments > 99 {\n",
	}}},
	{"view: an absent one beside a listing without its lock", "TestListedComesAndGoes", "still.go", []edit{{
		"	moments := min(len(tx.listed), 1)\n",
		"	moments := 0\n",
	}}},
	{"view: a lock file does not count", "TestAbsentComesAndGoes", "still.go", []edit{{
		"		return true, nil\n	}\n	return false, err\n}\n\n// recheckEngine",
		"		return true, nil\n	}\n	return true, err\n}\n\n// recheckEngine",
	}}},
	{"view: a missing lock file does not count", "TestViewMakesNothing", "still.go", []edit{{
		"				if pinned, err = e.a.d.wasNeverThere(e.path); !pinned {\n",
		"				if pinned, err = e.a.d.wasNeverThere(e.path); !pinned || true {\n",
	}}},
	{"view: it makes lock files", "TestViewMakesNothing|TestAbsentBoth", "txlock.go", []edit{{
		"	if tx.t.view {\n",
		"	if false {\n",
	}}},
	{"view: locks are not taken for absent ones", "TestAbsentBoth", "tx.go", []edit{{
		"	case t.mustLock:\n",
		"	case false:\n",
	}}},
	{"view: keys are listed again after the documents", "TestKeysAgain", "still.go", []edit{{
		"	if err := tx.relist(); err != nil || len(docs) == 0 {\n		return err\n	}\n",
		"	if len(docs) == 0 {\n		return tx.relist()\n	}\n",
	}, {
		"	return nil\n}\n\nvar (\n	errChanged",
		"	return tx.relist()\n}\n\nvar (\n	errChanged",
	}}},
	{"view: keys are not listed again", "TestKeysComeAndGo", "still.go", []edit{{
		"	if err := tx.relist(); err != nil || len(docs) == 0 {\n		return err\n	}\n",
		"	if len(docs) == 0 {\n		return nil\n	}\n",
	}}},
	{"view: an intent that came is not noticed in a listing", "TestKeysIntentComes", "view.go", []edit{{
		"			if e == nil || !e.loaded {\n",
		"			if e == nil {\n				return false, nil\n			}\n			if !e.loaded {\n",
	}}},
	{"view: keys without those of intents", "TestKeysOfTheDead", "view.go", []edit{{
		"	for _, key := range all.intents {\n",
		"	for _, key := range all.intents[:0] {\n",
	}}},
	{"view: a listing of what moves counts", "TestKeysMixed", "view.go", []edit{{
		"		if moving || !slices",
		"		if moving && false || !slices",
	}}},
	{"view: it keeps what it read through an intent", txOrders + "_one_and_a_reader,_again.*hash", "see.go", []edit{{
		"		if !unreadable || waited == found.raw {\n			return s, false, err\n",
		"		if !unreadable || waited == found.raw {\n			return s, true, err\n",
	}}},
	{"view: who may not read the home does not wait", "TestPublicBesidePrivate", "see.go", []edit{{
		" || errors.Is(err, fs.ErrPermission)\n",
		" || errors.Is(err, fs.ErrPermission) && false\n",
	}}},
	{"view: the home is the first in any case", "TestPublicBesidePrivate", "txcommit.go", []edit{{
		"	c.written = homeFirst(c.written)\n",
		"",
	}}},
	{"view: a home in a private directory", "TestPublicBesidePrivate", "txhome.go", []edit{{
		"(a.in == b.in || permits(a.dir, b.dir, search))",
		"true",
	}}},
	{"view: a home of another group", "TestPermits", "txhome.go", []edit{{
		"	return !has(b, group) || a.GID == b.GID && has(a, group)\n",
		"	return !has(b, group) || has(a, group)\n",
	}}},
	{"view: an expectation does not count in a transaction", "TestExpectInTransaction", "txdoc.go", []edit{{
		"	if err := e.isExpectedIn(doc); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"view: an expectation of the other kind", "TestExpectKinds", "expect.go", []edit{{
		"	if e.a != nil && e.read.exists && doc.expect.Kind() != have.Kind() {\n",
		"	if false {\n",
	}}},
	{"view: documents of engines have locks", "TestTransactEngines", "tx.go", []edit{{
		"func(e *txDoc) bool { return e.doc.drv.files == nil })\n",
		"func(e *txDoc) bool { return t.db.drv.files == nil })\n",
	}}},
	{"view: a refusal of what no transaction has left", "TestRefusalBesideTransaction", "call.go", []edit{{
		"	if read := c.order.blind; read != nil {\n",
		"	if read := c.order.blind; read != nil && false {\n",
	}}},
	{"view: a refusal that was confirmed is forgotten", "TestRefusalBesideTransaction", "call.go", []edit{{
		"	case c.refused != nil && (a.Err",
		"	case false && (a.Err",
	}}},
	{"view: a refusal of an earlier run counts", "TestRefusalBesideTransaction", "call.go", []edit{{
		"	c.refused = nil\n",
		"",
	}}},
	{"view: what is staged counts as replaced", "TestRefusalBesideTransaction", "attempt.go", []edit{{
		"	if a.held == nil && a.current.seen == nil && a.isReplaced() {\n",
		"	if a.held == nil && a.isReplaced() {\n",
	}}},
}
