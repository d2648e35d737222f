// The ways in which the commit protocol of transactions is broken: each of its steps left out,
// in another place, or weakened.

package proptest

const (
	txOrders = "TestInterleavings/tx:"
	txCuts   = "TestTransactionPowerCuts/one(_that_creates)?,_durable"
)

// notAgain leaves out the last look before the commit, which notices most of what verify does.
var notAgain = edit{
	"		if err := e.isUnmoved(); err != nil {\n",
	"		if err := error(nil); err != nil {\n",
}

var txMutants = []mutant{
	{"tx: no verify", txOrders + "_one_and_two_writers,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"	if err := c.verify(ctx); err != nil {\n		return err\n	}\n",
		"",
	}, notAgain}},
	{"tx: verify before the locks", txOrders + "_one_and_two_writers,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"	if err := c.lock(); err != nil {\n		return err\n	}\n	if err := c.verify(ctx); err != nil {\n		return err\n	}\n",
		"	if err := c.verify(ctx); err != nil {\n		return err\n	}\n	if err := c.lock(); err != nil {\n		return err\n	}\n",
	}, notAgain}},
	{"tx: what is only read is not verified", txOrders + "_write_skew,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"	for _, e := range slices.Concat(c.written, c.read) {\n		now, err := e.verify(ctx)\n",
		"	for _, e := range c.written {\n		now, err := e.verify(ctx)\n",
	}}},
	{"tx: what is only read is not locked", txOrders + "_write_skew,_hash", "txlock.go", []edit{{
		"	for _, e := range slices.Concat(c.written, c.read) {\n		if e.a.held == nil {\n",
		"	for _, e := range c.written {\n		if e.a.held == nil {\n",
	}}},
	{"tx: locks in the order of use", txOrders + "_two,_crossing,_hash", "txlock.go txcommit.go txstage.go txpublish.go", []edit{{
		"	slices.SortFunc(wanted, func(a, b *wantedLock) int { return cmp.Compare(a.order, b.order) })\n",
		"	_ = cmp.Compare[string]\n	slices.SortFunc(wanted, func(a, b *wantedLock) int { return 0 })\n",
	}, {
		"	slices.SortFunc(c.written, byOrder)\n",
		"",
	}}},
	{"tx: waits for ever in another order", txOrders + "_two_that_lock_in_different_orders,_hash", "txlock.go", []edit{{
		"	if bound < 0 {\n",
		"	if true {\n",
	}}},
	{"tx: locks kept while others are waited for", txOrders + "_one_and_a_death_and_a_writer|" + txOrders + "_two_that_lock_in_different", "txlock.go", []edit{{
		"		unlockAll(wanted)\n		switch {\n",
		"		switch {\n",
	}}},
	{"tx: a member has no intent", txOrders + "_one_and_two_readers,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"	err := files.Symlink(e.link, name)\n	if err == nil {\n",
		"	err := files.Symlink(e.link, name)\n	if err == nil {\n		_ = files.Remove(name)\n",
	}}},
	{"tx: no change of the time", txOrders + "_one_and_a_reader,_again,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"		if err := e.touch(); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
	{"tx: the time is changed before the intents are there", txOrders + "_one_and_a_reader,_again,_while.*hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"		if err := e.touch(); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}, {
		"	c.placed = true\n",
		"	c.placed = true\n	for _, e := range c.written {\n		if err := (*txDoc).touch(e); err != nil {\n			return err\n		}\n	}\n",
	}}},
	{"tx: the time is changed before the home has its intent", txOrders + "_one_and_a_reader,_again,_the_other_way,_while.*hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"		if err := e.touch(); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}, {
		"	if err := c.placeHome(); err != nil {\n",
		"	for _, e := range c.written {\n		if err := (*txDoc).touch(e); err != nil {\n			return err\n		}\n	}\n	if err := c.placeHome(); err != nil {\n",
	}}},
	{"tx: published before the commit", txOrders + "_one_and_a_death_and_a_reader,_hash|" + txOrders + "_one_and_two_readers,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"	if err := c.commitPoint(); err != nil {\n",
		"	c.publish()\n	if err := c.commitPoint(); err != nil {\n",
	}, {
		"		c.publish()\n		err = c.flushPublished()\n",
		"		err = c.flushPublished()\n",
	}}},
	{"tx: no commit", txOrders + "_one_and_two_readers,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"	if err := c.commitPoint(); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"tx: the intents go before the versions are published", txOrders + "_one_and_two_readers,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"		c.publish()\n		err = c.flushPublished()\n",
		"		c.clear()\n		c.publish()\n		err = c.flushPublished()\n",
	}}},
	{"tx: the locks are given back before all is published", txOrders + "_(two|two,_crossing|one_that_creates_and_one_that_deletes),_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"		c.publish()\n		err = c.flushPublished()\n",
		"		for _, e := range c.written {\n			e.a.release()\n		}\n		c.publish()\n		err = c.flushPublished()\n",
	}}},
	{"tx: nobody hears of its intents", txOrders + "_the_first_one", "txcommit.go txstage.go txpublish.go", []edit{{
		"		noticed, err := e.a.held.announceIntents(c.durability != Volatile)\n",
		"		noticed, err := true, error(nil)\n",
	}}},
	{"tx: intents that were not committed stay", "TestTransactionFaults", "txcommit.go txstage.go txpublish.go", []edit{{
		"target == e.link {\n			_ = e.a.d.files.Remove(name)\n",
		"target == e.link {\n			_ = name\n",
	}}},
	{"tx: the home's intent that was not committed stays", "TestTransactionFaults", "txcommit.go txstage.go txpublish.go", []edit{{
		"		c.home.remove()\n",
		"",
	}}},
	{"tx: a failed commit not looked after", "TestTransactionFaults", "txcommit.go txstage.go txpublish.go", []edit{{
		"	case statErr == nil && now.Size == committed: // it has happened all the same\n		return nil\n",
		"",
	}}},
	{"tx: a version that was exchanged stays", txOrders + "_ext4:_two,_hash", "txcommit.go txstage.go txpublish.go", []edit{{
		"				e.displaced, e.staged.keep = e.staged.path, true\n",
		"				e.staged.keep = true\n",
	}}},
	{"tx: a failed flush of the commit hidden", "TestTransactionFaults", "txflush.go", []edit{{
		"		return fmt.Errorf(\"flush the commit: %w\", err)\n",
		"		return nil\n",
	}}},
	{"tx: one journal: a failed flush hidden", "TestTransactionFaults", "txflush.go", []edit{{
		"		return fmt.Errorf(\"flush the transaction: %w\", err)\n",
		"		return nil\n",
	}}},
	{"tx: intents go though a version could not be published", "TestTransactionFaults", "txcommit.go txstage.go txpublish.go", []edit{{
		"			e.left = true\n",
		"",
	}}},
	{"tx: portable: the new versions not flushed before the commit", txCuts + ",_journal=false", "txcommit.go txstage.go txpublish.go", []edit{{
		"	return c.flushVersions()\n",
		"	return nil\n",
	}}},
	{"tx: one journal: the new versions not flushed before the commit", txCuts + ",_journal=true", "txflush.go", []edit{{
		"		if err := c.flushVersions(); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
	{"tx: the new version not flushed", txCuts, "txcommit.go txstage.go txpublish.go", []edit{{
		"			if err := c.flush(e.staged.file); err != nil {\n",
		"			if err := error(nil); err != nil {\n",
	}}},
	{"tx: one journal: the home's intent not flushed before the commit", txCuts + ",_journal=true", "txflush.go", []edit{{
		"		if err := c.flush(c.home.file); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
	{"tx: one journal: the home's intent flushed after the commit", "TestTransactionPowerCuts/one,_(durable|ordered),_journal=true", "txflush.go txcommit.go txstage.go txpublish.go", []edit{{
		"		if err := c.flush(c.home.file); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}, {
		"	c.setVersions()\n	err := c.flushCommit()\n",
		"	c.setVersions()\n	c.publish()\n	_ = c.flush(c.home.file)\n	err := c.flushCommit()\n",
	}}},
	{"tx: portable: the intents' names not flushed", txCuts + ",_journal=false", "txflush.go", []edit{{
		"	return c.flushDirs(func(*commitDir) bool { return true })\n",
		"	return nil\n",
	}}},
	{"tx: portable: the commit not flushed", txCuts + ",_journal=false", "txflush.go", []edit{{
		"	if err := c.home.file.Sync(); err != nil {\n		return fmt.Errorf(\"flush the commit",
		"	if err := error(nil); err != nil {\n		return fmt.Errorf(\"flush the commit",
	}}},
	{"tx: portable: published before the commit is flushed", txCuts + ",_journal=false", "txcommit.go txstage.go txpublish.go", []edit{{
		"	err := c.flushCommit()\n	if err == nil {\n		c.publish()\n",
		"	c.publish()\n	err := c.flushCommit()\n	if err == nil {\n",
	}}},
	{"tx: portable: the new versions' names not flushed", txCuts + ",_journal=false", "txflush.go", []edit{{
		"	return c.flushDirs(func(d *commitDir) bool { return d.write })\n",
		"	return nil\n",
	}}},
	{"tx: one journal: the commit not flushed", txCuts + ",_journal=true", "txflush.go", []edit{{
		"	if err := c.home.file.Sync(); err != nil {\n		return fmt.Errorf(\"flush the transaction",
		"	if err := error(nil); err != nil {\n		return fmt.Errorf(\"flush the transaction",
	}}},
	{"tx: one journal: flushed before the commit", txCuts + ",_journal=true", "txflush.go txcommit.go txstage.go txpublish.go", []edit{{
		"	if err := c.home.file.Sync(); err != nil {\n		return fmt.Errorf(\"flush the transaction",
		"	if err := error(nil); err != nil {\n		return fmt.Errorf(\"flush the transaction",
	}, {
		"	if err := c.commitPoint(); err != nil {\n",
		"	_ = c.home.file.Sync()\n	if err := c.commitPoint(); err != nil {\n",
	}}},
	{"tx: what was read not flushed", "TestTransactionPowerCuts/one_that_reads.*durable", "txflush.go", []edit{{
		"	if err := c.flushRead(); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"tx: recovery: the commit not flushed", "TestTransactionPowerCuts/one,_a_death_and_a_writer,_(durable|ordered),_journal=false", "recover.go", []edit{{
		"	if err := d.flushFile(names.Intent(r.home)); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"tx: recovery: the commit flushed in the portable order only", "TestTransactionPowerCuts/one_in_the_portable_order,_a_death_and_a_writer,_(durable|ordered),_journal=true", "recover.go", []edit{{
		"	if err := d.flushFile(names.Intent(r.home)); err != nil {\n",
		"	if !portable {\n	} else if err := d.flushFile(names.Intent(r.home)); err != nil {\n",
	}}},
	{"tx: the documents not looked at before the commit", "TestForeignBeforeCommit", "txcommit.go", []edit{notAgain}},
	{"tx: a member's link that does not last", "TestTransactionPowerCuts/files:_one,_(durable|ordered),_journal=false", "beside.go", []edit{{
		"		return slices.Contains(keepLinks, kind) || d.files.OneJournal(filepath.Dir(path)), err\n",
		"		return kind != \"\", err\n",
	}}},
	{"tx: a member's file not flushed", "TestTransactionPowerCuts/files:_one,_(durable|ordered),_journal=false", "txpublish.go", []edit{{
		"		err = c.flush(e.intent.file)\n",
		"		_ = c.flush\n",
	}}},
	{"tx: a member's file that stays", txOrders + "_files:_one_whose_context_ends_and_a_writer", "txpublish.go", []edit{{
		"			e.intent.remove()\n			continue\n",
		"			continue\n",
	}}},
	{"tx: a member's file without a checksum", "TestMemberIntents", "intent.go", []edit{{
		"	if end < 0 || checksum(data[:end]) != string(data[end:]) {\n",
		"	if end < 0 {\n",
	}}},
	{"tx: what was flushed is stamped again", "TestStampedAgainIsFlushed", "txcommit.go", []edit{{
		"		if opts := *e.a.d.opts; opts.Durability != c.durability {\n",
		"		if opts := *e.a.d.opts; false {\n",
	}}},
	{"tx: an intent that grows too large", "TestLargestIntent", "intent.go", []edit{{
		"	if len(data)+len(committedMark) > maxIntent { // for it grows\n",
		"	if len(data) > maxIntent {\n",
	}}},
	{"tx: what is replaced is not flushed", "TestTransactionPowerCuts/one_that_replaces_what_a_volatile_one_wrote,_(durable|ordered)", "txstage.go", []edit{{
		"		if err := c.flushReplaced(e); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
	{"tx: recovery: the new versions' names not flushed", "TestTransactionPowerCuts/one,_a_death_and_a_writer,_(durable|ordered),_journal=false", "recover.go", []edit{{
		"			if err := fsys.SyncDir(d.files, dir); err != nil {\n",
		"			if err := error(nil); dir == \"\" && err != nil {\n",
	}}},
	{"tx: recovery: what is pending is finished", txCuts + ",_journal=false", "recover.go", []edit{{
		"	r.home, r.committed = home, r.homes.in.committed\n",
		"	r.home, r.committed = home, true\n",
	}}},
	{"tx: recovery: what is committed is undone", txOrders + "_one_and_a_death_and_a", "recover.go", []edit{{
		"	r.home, r.committed = home, r.homes.in.committed\n",
		"	r.home, r.committed = home, false\n",
	}}},
	{"tx: recovery without locks", "TestSampledOrders/tx:_(one,_its_death|two,_the_deaths)", "recover.go", []edit{{
		"		if err := lockAll(ctx, r.wanted, wait); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
	{"tx: recovery without a second look", "TestRecoveryLooksAgain", "recover.go", []edit{{
		"		same, err := r.isSame()\n",
		"		same, err := true, error(nil)\n",
	}}},
	{"tx: recovery: not compared with the old version", "TestForeignInTransaction", "recover.go", []edit{{
		"	if now != c.Old {\n",
		"	if false && now != c.Old {\n",
	}}},
	{"tx: what another program has put in place is replaced", "TestForeignInTransaction", "txcommit.go txstage.go txpublish.go", []edit{{
		"	if !a.current.isAt(now, err == nil) {\n",
		"	if !a.current.isAt(now, err == nil) && false {\n",
	}}},
	{"tx: a writer does not meet the intent", txOrders + "_one_and_a_death_and_a_writer", "recover.go", []edit{{
		"		if err != nil || !held.blocked {\n",
		"		if true {\n",
	}}},
	{"tx: a reader does not look for the intent", txOrders + "_one_and_two_readers,_hash", "see.go", []edit{{
		"		if !found.there && !found.doubted {\n",
		"		if !found.there && !found.doubted || true {\n",
	}}},
	{"tx: a reader does not ask the home", txOrders + "_one_and_a_death_and_a_reader,_hash|" + txOrders + "_one_whose_context_ends,_and_a_death", "see.go", []edit{{
		"	return c, of && home.in.committed, nil\n",
		"	return c, of, nil\n",
	}}},
	{"tx: a reader takes the home of another transaction", "TestSampledOrders/tx:_two_with_one_home|TestMemberIntents", "intent.go", []edit{{
		"	if homes == nil || homes.id != in.id || in",
		"	if homes == nil || in",
	}}},
	{"tx: any home can make a deletion", "TestMemberIntents", "intent.go", []edit{{
		"	return c, c.deletes() == in.deletes\n",
		"	return c, true\n",
	}}},
	{"tx: a reader does not compare with the old version", "TestForeignInTransaction", "see.go", []edit{{
		"	if now.identity() == c.Old {\n",
		"	if true {\n",
	}}},
	{"tx: a reader does not compare what is staged", "TestStagedReplaced", "see.go", []edit{{
		"	if s.identity() == c.New {\n",
		"	if !s.version.IsAbsent() {\n",
	}}},
	{"tx: a sweep that looks for no intent", txOrders + "_one_and_a_sweeper|" + txOrders + "_one,_a_death_and_a_sweeper", "sweep.go", []edit{{
		"	if len(digits) == names.TransactionDigits && o.isIntent(document) {\n",
		"	if false {\n",
	}}},
	{"tx: an intent is believed without its owner", "TestPlantedTransaction", "intent.go", []edit{{
		"	if err != nil || !found.there || info.Size > maxIntent {\n",
		"	found.there = true\n	if err != nil || info.Size > maxIntent {\n",
	}}},
	{"tx: an intent that is not whole is believed", "TestIntents", "intent.go", []edit{{
		"	if !strings.HasPrefix(rest, sum) || json",
		"	if sum == \"x\" || json",
	}, {
		"committed: rest == sum+committedMark}",
		"committed: strings.HasSuffix(rest, committedMark)}",
	}, {
		"	if text.Format != intentFormat || !in.committed && rest != sum || !in",
		"	if text.Format != intentFormat || !in",
	}}},
	{"tx: a whole intent is a committed one", "TestIntents", "intent.go", []edit{{
		"committed: rest == sum+committedMark}",
		"committed: true}",
	}}},
	{"tx: a member's link is believed without its owner", "TestPlantedMember", "intent.go", []edit{{
		"	if err != nil || dir.Mode&fs.ModeSticky == 0 {\n",
		"	if true || dir.Mode == 0 {\n",
	}}},
	{"tx: a member's link is another one when its owner is looked at", "TestPlantedMember", "intent.go", []edit{{
		"	if err != nil || again != target {\n",
		"	if err != nil && again != target {\n",
	}}},
	{"tx: what is staged for one that was not committed stays", "TestPendingThere", "recover.go", []edit{{
		"		if err := r.d.removeNamed(path, names.Transaction(path, in.id)); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
	{"tx: a member's intent that is gone was none in a listing", orders + "/view:_flips:_a_listing$", "list.go", []edit{{
		"		return document, err != nil || decodeMember",
		"		return document, err == nil && decodeMember",
	}}},
	{"tx: recovery: what is staged is not compared", "TestStagedReplaced", "recover.go", []edit{{
		"err != nil || !ok || identityOf(staged) != c.New {\n",
		"err != nil || !ok {\n",
	}}},
	{"tx: a file system without links is given up", "TestTransactRefused/no_symbolic_links$", "txpublish.go", []edit{{
		" || errors.Is(err, syscall.EPERM) ||\n",
		" || false ||\n",
	}}},
	{"tx: a file system with short links is given up", "TestTransactRefused/no_symbolic_links_of", "txpublish.go", []edit{{
		"		errors.Is(err, syscall.ENAMETOOLONG)\n",
		"		false\n",
	}}},
	{"tx: a link without text is none", "TestEmptyLink", "intent.go", []edit{{
		"		case target == \"\":\n",
		"		case false:\n",
	}}},
	{"tx: one file under two names is not noticed", "TestMountedTwice", "txstage.go", []edit{{
		"	case errors.Is(err, fs.ErrExist): // nobody",
		"	case false: // nobody",
	}}},
	{"tx: an intent may name any file", "TestIntents", "intent.go", []edit{{
		"	return !filepath.IsAbs(local) && ",
		"	return true || !filepath.IsAbs(local) && ",
	}}},
	{"tx: a home that is not there is believed anywhere", "TestMovedApart|TestMountedMember", "beside.go", []edit{{
		"	if !found.isHomeOf(in.id) {\n		err = d.checkPlace(",
		"	if false {\n		err = d.checkPlace(",
	}}},
	{"tx: a member that is not there is believed to be finished", "TestMovedApart", "beside.go", []edit{{
		"	if err == nil && !found.isOf(in.id) {\n		err = d.checkPlace(",
		"	if false {\n		err = d.checkPlace(",
	}}},
	{"tx: any directory is the right one", "TestMovedApart/another", "beside.go", []edit{{
		"	case err == nil && directoryOf(found, own) == dir:\n",
		"	case err == nil && (true || directoryOf(found, own) == dir):\n",
	}}},
	{"tx: links are not resolved before paths are joined", "TestLinkedDirectory", "beside.go", []edit{{
		"	own, err := d.resolve(filepath.Dir(path))\n",
		"	own, err := filepath.Dir(path), error(nil)\n",
	}}},
	{"tx: a document is located without resolving links", "TestDirectoryBecomesLink", "txdoc.go", []edit{{
		"	dir, err := e.a.d.resolve(filepath.Dir(e.path))\n",
		"	dir, err := filepath.Dir(e.path), error(nil)\n",
	}}},
	{"tx: a store that was moved is not noticed", "TestMovedStore", "txstage.go", []edit{{
		"	if from.doc.db != to.doc.db {\n",
		"	if false {\n",
	}}},
	{"tx: published though the commit could not be flushed", "TestTransactionFaults", "txcommit.go", []edit{{
		"	err := c.flushCommit()\n	if err == nil {\n",
		"	err := c.flushCommit()\n	if err != nil {\n		c.publish()\n	} else {\n",
	}}},
	{"tx: intents go though the commit could not be flushed", "TestTransactionFaults", "txcommit.go", []edit{{
		"		c.leave()\n",
		"		c.clear()\n",
	}}},
	{"tx: a closed file is taken for an absent one", "TestTransactClosed", "txcommit.go", []edit{{
		"	case err == nil && a.current.isAt(now, true): // and closed\n",
		"	case false:\n",
	}}},
	{"tx: a closed file is absent for an intent", "TestTransactClosed", "intent.go", []edit{{
		"	if s.version.IsAbsent() {\n",
		"	if s.file == nil {\n",
	}}},
	{"tx: a mount point is not noticed", "TestTransactMountPoint", "txpublish.go", []edit{{
		"		if e.mounted {\n",
		"		if false {\n",
	}}},
	{"tx: a guard without exchange is not noticed", "TestTransactRefused", "txstage.go", []edit{{
		"	if !e.guarded() || e.staged == nil {\n",
		"	if true {\n",
	}}},
	{"tx: a sticky directory is not noticed", "TestStickyTransaction", "txpublish.go", []edit{{
		"	if dir.Mode&fs.ModeSticky != 0 && !isOurs",
		"	if false && !isOurs",
	}}},
	{"tx: locks of where links led before", "TestLinkMovesUnderLock", "txlock.go", []edit{{
		"		again.a.path = path\n",
		"		again.a.path = e.path\n",
	}}},
	{"tx: the first handle's options count", "TestStrictestHandle", "txdoc.go", []edit{{
		"	e.a.d = e.a.d.with(&opts)\n",
		"",
	}}},
	{"tx: a failed flush of what was read is forgotten", "TestConfirmFails", "txflush.go", []edit{{
		"			d.shared.flushed.note(e.a.path, err)\n",
		"",
	}}},
	{"tx: what was only read is not asked of the journal", "TestConfirmJournalFails", "txflush.go", []edit{{
		"		err = c.stillWrites()\n",
		"",
	}}},
	{"lock: another user's mark never counts", "TestOthersLockFile", "lockfile.go", []edit{{
		"	return err == nil && (dir.Mode&fs.ModeSticky == 0 || ",
		"	return err == nil && (",
	}}},
	{"lock: another user's mark counts in a sticky directory", "TestOthersLockFile|TestMarks", "lockfile.go", []edit{{
		"	return err == nil && (dir.Mode&fs.ModeSticky == 0 || ",
		"	return err == nil && (true || ",
	}}},
	{"tx: recovery has a limit of size", "TestRecoveryOfLarge", "recover.go", []edit{{
		"	opts.MaxSize = math.MaxInt64 - 1 ",
		"	opts.MaxSize = min(opts.MaxSize, math.MaxInt64) ",
	}}},
	{"tx: one that only reads makes directories", "TestTransactReadsOnly", "txcommit.go", []edit{{
		"	if absent && len(c.written) > 0 {\n",
		"	if absent {\n",
	}}},
	{"tx: a directory that came is not noticed", "TestDirectoryComes", "txcommit.go", []edit{{
		"		return e.a.conflict(Absent) // the document may exist too\n",
		"		return nil\n",
	}}},
	{"tx: guard: the displaced version goes before the flush", "TestTransactionPowerCuts/one_that_is_guarded,_.*journal=false", "txpublish.go", []edit{{
		"		e.displaced, s.keep = s.path, true\n",
		"		_ = a.d.files.Remove(s.path)\n",
	}}},
	{"tx: guard: a displaced version is not looked at", "TestTransactGuardDies", "recover.go", []edit{{
		"	if c.Guarded == \"\" {\n",
		"	if true {\n",
	}}},
	{"tx: guard: recovery replaces without looking", "TestRecoveryGuards", "recover.go", []edit{{
		"	case c.Guarded != \"\":\n		how = fsys.Exchange\n",
		"	case false:\n",
	}}},
	{"tx: what a stranger plants keeps recovery from its end", "TestPlantedBesideDead", "recover.go", []edit{{
		"	if ok, err := d.believesNamed(path, name); err != nil || !ok {\n",
		"	if _, err := d.believesNamed(path, name); err != nil {\n",
	}}},
	{"tx: a sweep believes a stranger's intent", txOrders + "_a_stranger_plants:_one,_a_death", "sweepintent.go", []edit{{
		"	return err != nil || found.there\n",
		"	return err != nil || found.there || o.exists(document)\n",
	}, {
		"// takeIntent reports whether",
		"func (o *orphanage) exists(document string) bool {\n	_, err := o.d.files.Lstat(names.Intent(document))\n	return err == nil\n}\n\n// takeIntent reports whether",
	}}},
	{"tx: without waiting two documents share a lock", "TestOneLockFile", "txlock.go", []edit{{
		"		if errors.Is(err, ErrLocked) && w.sharesLock(wanted[:i]) {\n",
		"		if errors.Is(err, ErrLocked) && !atOnce && w.sharesLock(wanted[:i]) {\n",
	}}},
}
