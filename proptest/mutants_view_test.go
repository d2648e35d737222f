// The ways in which views, and reads beside transactions, are broken.

package proptest

var viewMutants = []mutant{
	{"view: a look that failed counts as unchanged", "TestSecondLookFails$", "still.go", []edit{{
		"\t\t\tsame, err := e.a.d.isStill(e.path, e.a.current)\n",
		"\t\t\tsame, err := e.a.d.isStill(e.path, e.a.current)\n\t\t\tif err != nil {\n\t\t\t\tsame, err = true, nil\n\t\t\t}\n",
	}}},
	{"view: a look that failed in an engine counts as unchanged", "TestSecondLookFailsInEngine", "still.go", []edit{{
		"\t\treturn &txConflict{err}\n\t}\n\treturn err\n",
		"\t\treturn &txConflict{err}\n\t}\n\treturn nil\n",
	}}},
	{"view: no second look", txOrders + "_one_and_a_view|TestViewSeesHomeChange", "tx.go", []edit{{
		"\t\treturn tx.recheck()\n",
		"\t\treturn nil\n",
	}}},
	{"view: a refusal without a second look", "TestSecondLookFails$|TestKeysRefused", "tx.go", []edit{{
		"\tswitch again := tx.recheck().(type) {\n",
		"\tswitch again := error(nil).(type) {\n",
	}}},
	{"view: intents are looked for last", txOrders + "_one_(that_creates_)?and_a_view", "still.go", []edit{{
		"\tvar found foundIntent\n\t_, err := d.files",
		"\tfirst, firstErr := d.files.Lstat(path)\n\tvar found foundIntent\n\t_, err := d.files",
	}, {
		"\tnow, err := d.files.Lstat(path)\n\tif err != nil && !errors.Is(err, fs.ErrNotExist) {\n\t\treturn false, err\n",
		"\tnow, err := first, firstErr\n\tif err != nil && !errors.Is(err, fs.ErrNotExist) {\n\t\treturn false, err\n",
	}}},
	{"view: an intent that came is not noticed", txOrders + "_one_and_a_view", "still.go", []edit{{
		"\tif found.there != before.intent.there || found.raw != before.intent.raw {\n",
		"\tif false {\n",
	}}},
	{"view: the home is not asked again", "TestViewSeesHomeChange", "still.go", []edit{{
		"\t\tif err != nil || committed != before.committed {\n",
		"\t\tif _ = committed; err != nil {\n",
	}}},
	{"view: the file is not looked at again", "TestForeignBesideIntent", "still.go", []edit{{
		"\treturn read.isAt(now, exists) || ",
		"\treturn true || read.isAt(now, exists) || ",
	}}},
	{"view: what is published meanwhile has changed", "TestViewBesideStopped", "still.go", []edit{{
		"\treturn read.isAt(now, exists) || before",
		"\treturn before.replaced == nil && read.isAt(now, exists) || before",
	}}},
	{"view: what is not published has changed", "TestViewBesideStopped", "still.go", []edit{{
		" || before.replaced != nil && before.replaced.isAt(now, exists), nil",
		", nil",
	}}},
	{"view: an absent one is looked at last", orders + "/view:_flips:_(one|the_other),_", "still.go", []edit{{
		"\tfor _, absent := range []bool{true, false} {\n",
		"\tfor _, absent := range []bool{false, true} {\n",
	}}},
	{"view: several absent ones without locks", "TestAbsentComesAndGoes", "still.go", []edit{{
		"\t\t\tif absent && moments > 1 {\n",
		"\t\t\tif absent && moments > 99 {\n",
	}}},
	{"view: an absent one beside a listing without its lock", "TestListedComesAndGoes", "still.go", []edit{{
		"\tmoments := min(len(tx.listed), 1)\n",
		"\tmoments := 0\n",
	}}},
	{"view: a lock file does not count", "TestAbsentComesAndGoes", "still.go", []edit{{
		"\t\treturn true, nil\n\t}\n\treturn false, err\n}\n\n// recheckEngine",
		"\t\treturn true, nil\n\t}\n\treturn true, err\n}\n\n// recheckEngine",
	}}},
	{"view: a missing lock file does not count", "TestViewMakesNothing", "still.go", []edit{{
		"\t\t\t\tif pinned, err = e.a.d.wasNeverThere(e.path); !pinned {\n",
		"\t\t\t\tif pinned, err = e.a.d.wasNeverThere(e.path); true {\n",
	}}},
	{"view: it makes lock files", "TestViewMakesNothing|TestAbsentBoth", "txdoc.go", []edit{{
		"e.a.d.files.Lstat(names.Lock(e.path)); errors.Is(err, fs.ErrNotExist) {\n",
		"e.a.d.files.Lstat(names.Lock(e.path)); errors.Is(err, fs.ErrNotExist) && false {\n",
	}}},
	{"view: locks are not taken for absent ones", "TestAbsentBoth", "tx.go", []edit{{
		"\tcase t.mustLock:\n",
		"\tcase false:\n",
	}}},
	{"view: keys are listed again after the documents", "TestKeysComeAndGo", "still.go", []edit{{
		"\tif err := tx.relist(); err != nil || len(docs) == 0 {\n\t\treturn err\n\t}\n",
		"\tif len(docs) == 0 {\n\t\treturn tx.relist()\n\t}\n",
	}, {
		"\treturn nil\n}\n\nvar errComesAndGoes",
		"\treturn tx.relist()\n}\n\nvar errComesAndGoes",
	}}},
	{"view: keys are not listed again", "TestKeysComeAndGo", "still.go", []edit{{
		"\tif err := tx.relist(); err != nil || len(docs) == 0 {\n\t\treturn err\n\t}\n",
		"\tif len(docs) == 0 {\n\t\treturn nil\n\t}\n",
	}}},
	{"view: an intent that came is not noticed in a listing", "TestKeysIntentComes", "view.go", []edit{{
		"\t\t\tif e == nil || !e.loaded {\n",
		"\t\t\tif e == nil {\n\t\t\t\treturn false, nil\n\t\t\t}\n\t\t\tif !e.loaded {\n",
	}}},
	{"view: keys without those of intents", "TestKeysOfTheDead", "view.go", []edit{{
		"\tfor _, key := range all.intents {\n",
		"\tfor _, key := range all.intents[:0] {\n",
	}}},
	{"view: a listing of what moves counts", "TestKeysMixed", "view.go", []edit{{
		"\t\tif moving || !slices",
		"\t\tif moving && false || !slices",
	}}},
	{"view: it keeps what it read through an intent", txOrders + "_one_and_a_reader,_again", "see.go", []edit{{
		"\t\tif !unreadable || waited == found.raw {\n\t\t\treturn s, false, err\n",
		"\t\tif !unreadable || waited == found.raw {\n\t\t\treturn s, true, err\n",
	}}},
	{"view: who may not read the home does not wait", "TestPublicBesidePrivate", "see.go", []edit{{
		" || errors.Is(err, fs.ErrPermission)\n",
		"\n",
	}}},
	{"view: the home is the first in any case", "TestPublicBesidePrivate", "txcommit.go", []edit{{
		"\tc.written = homeFirst(c.written)\n",
		"",
	}}},
	{"view: a home in a private directory", "TestPublicBesidePrivate", "txhome.go", []edit{{
		"(a.in == b.in || permits(a.dir, b.dir, search))",
		"true",
	}}},
	{"view: a home of another group", "TestPermits", "txhome.go", []edit{{
		"\treturn !has(b, group) || a.GID == b.GID && has(a, group)\n",
		"\treturn !has(b, group) || has(a, group)\n",
	}}},
	{"view: an expectation does not count in a transaction", "TestExpectInTransaction", "txdoc.go", []edit{{
		"\tif err := e.isExpectedIn(doc); err != nil {\n",
		"\tif err := error(nil); err != nil {\n",
	}}},
	{"view: an expectation of the other kind", "TestExpectKinds", "expect.go", []edit{{
		"\tif e.a != nil && e.read.exists && doc.expect.Kind() != have.Kind() {\n",
		"\tif false {\n",
	}}},
	{"view: documents of engines have locks", "TestTransactEngines", "tx.go", []edit{{
		"func(e *txDoc) bool { return e.doc.drv.files == nil })\n",
		"func(e *txDoc) bool { return t.db.drv.files == nil })\n",
	}}},
	{"view: a refusal of what no transaction has left", "TestRefusalBesideTransaction", "call.go", []edit{{
		"\tif read := c.order.blind; read != nil {\n",
		"\tif read := c.order.blind; read != nil && false {\n",
	}}},
	{"view: a refusal that was confirmed is forgotten", "TestRefusalBesideTransaction", "call.go", []edit{{
		"\tcase c.refused != nil && (a.Err",
		"\tcase false && (a.Err",
	}}},
	{"view: a refusal of an earlier run counts", "TestRefusalBesideTransaction", "call.go", []edit{{
		"\tc.refused = nil\n",
		"",
	}}},
	{"view: an expected version is read without a look for an intent", "TestRefusalBesideTransaction", "step.go", []edit{{
		"\t\tt.onFile.blind = c.doc.expect == nil\n",
		"\t\tt.onFile.blind = true\n",
	}}},
	{"view: what is staged counts as replaced", "TestRefusalBesideTransaction", "attempt.go", []edit{{
		"\tif a.held == nil && a.current.seen == nil && a.isReplaced() {\n",
		"\tif a.held == nil && a.isReplaced() {\n",
	}}},
}
