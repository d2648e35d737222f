// The mutants of the store: edits that break it. mutate_test.go applies them.

package proptest

const (
	orders    = "TestInterleavings"
	powerCuts = "TestPowerCuts/(an_update|a_deletion)_"
)

var mutants = []mutant{
	{"no verify", orders + "/^two,_a_deleter", "cas.go", []edit{{
		"	if err := a.verifyFor(ctx, s); err != nil {",
		"	if err := error(nil); err != nil {",
	}}},
	{"verify before the lock", orders + "/^two,_a_deleter", "cas.go attempt.go", []edit{{
		"	if err := a.verifyFor(ctx, s); err != nil {",
		"	if err := error(nil); err != nil {",
	}, {
		"		case !a.current.version.IsAbsent():\n",
		"		case !a.current.version.IsAbsent():\n			if _, err := a.verify(ctx); err != nil {\n				return err\n			}\n",
	}}},
	{"unlock before the rename", orders + "/^two,_a_deleter", "cas.go", []edit{{
		"	if err := a.publish(ctx, s); err != nil {",
		"	a.release()\n	if err := a.publish(ctx, s); err != nil {",
	}}},
	{"no verify of a deletion", orders + "/^two,_a_deleter", "cas.go", []edit{{
		"	now, err := a.verify(ctx)\n	if err != nil {\n		return err\n	}\n	a.past.file = now\n	if a.d.opts.Durability == Durable {\n",
		"	if a.d.opts.Durability == Durable {\n",
	}}},
	{"create by plain rename", "TestForeignCreator|" + orders + "/guard:_two_that_create", "cas.go", []edit{{
		"		how = fsys.NoReplace\n",
		"		how = fsys.Replace\n",
	}}},
	{"the version that was read closed early", orders + "/three_and_a_deleter,_mtime_1ns", "attempt.go", []edit{{
		"			a.dev = a.current.info.Dev\n",
		"			a.dev = a.current.info.Dev\n			if a.current.file != nil {\n				a.current.file.Close()\n			}\n",
	}}},
	{"the version that was read stays open where it may not", orders + "/closed", "file.go", []edit{{
		"		case d.files.NeedsClosed():\n",
		"		case false:\n",
	}}},
	{"no stamp", "TestRestoring", "mtime.go", []edit{{
		"	now := s.files.Now()\n	for _",
		"	if info, err := s.file.Stat(); err == nil {\n		s.info, s.fine = info, true\n		return nil\n	}\n	now := s.files.Now()\n	for _",
	}}},
	{"a stamp that does not grow", "TestStampsGrow", "mtime.go", []edit{{
		"		want := max(now, after+step)\n",
		"		want := now + 0*step\n",
	}}},
	{"a stamp that was rounded is not noticed", "TestStampsGrow", "stage.go", []edit{{
		"	case now.Mtime == s.info.Mtime:\n",
		"	case now.Mtime >= 0:\n",
	}}},
	{"a fine time that was rounded is set again", "TestStampedOnce", "stage.go", []edit{{
		"	case isFine(now.Mtime, s.info.Mtime, a.current.info.Mtime):\n",
		"	case false:\n",
	}}},
	{"coarse times are found again under each lock", "TestStampedOnce", "stage.go", []edit{{
		"	a.d.shared.coarse.Store(true)\n",
		"",
	}}},
	{"coarse times accepted", "TestCoarseTimes", "mtime.go", []edit{{
		"	case known && !fine:",
		"	case false:",
	}}},
	{"versions by length only", "TestCompareAndSwap|TestFiles", "hash.go", []edit{{
		"	return driver.HashVersion(",
		"	sum.Hi, sum.Lo = 0, 0\n	return driver.HashVersion(",
	}}},
	{"staged file not flushed", powerCuts, "flush.go", []edit{{
		"	return s.file.Sync()\n",
		"	return nil\n",
	}}},
	{"staged file flushed after the rename", powerCuts, "flush.go settle.go", []edit{{
		"	return s.file.Sync()\n",
		"	return nil\n",
	}, {
		"	a.published, a.confirmed = false, false\n",
		"	a.published, a.confirmed = false, false\n	if s, _, err := a.d.loadOnce(a.path, a.mode); err == nil && s.file != nil {\n		_ = s.file.Sync()\n		s.close()\n	}\n",
	}}},
	{"directory not flushed", powerCuts, "flush.go", []edit{{
		"		if err := dir.Sync(); err != nil {",
		"		if err := error(nil); dir == nil && err != nil {",
	}}},
	{"directory flushed before the rename", powerCuts, "flush.go", []edit{{
		"		if err := dir.Sync(); err != nil {",
		"		if err := error(nil); dir == nil && err != nil {",
	}, {
		"		a.dirs = append(a.dirs, dir)\n",
		"		a.dirs = append(a.dirs, dir)\n		_ = dir.Sync()\n",
	}}},
	{"one journal: content not on the device before the rename", powerCuts, "flush.go", []edit{{
		"		err := s.file.SyncData()\n",
		"		err := error(nil)\n",
	}}},
	{"one journal: file not flushed after the rename", powerCuts, "settle.go", []edit{{
		"		if err := a.renamed.Sync(); err != nil {",
		"		if err := error(nil); err != nil {",
	}}},
	{"one journal: the order for it where there is none", powerCuts, "flush.go", []edit{{
		"		return d.files.OneJournal(filepath.Dir(path)), nil\n",
		"		return true, nil\n",
	}}},
	{"one journal: a deletion that flushes the file", powerCuts, "settle.go", []edit{{
		"	if a.renamed != nil {\n		if err",
		"	if a.d.opts.FlushOrder == JournalOrder || a.d.files.OneJournal(filepath.Dir(a.path)) {\n		if a.renamed == nil {\n			return nil\n		}\n		if err",
	}}},
	{"a failed flush of the directory tried again", "TestFaults", "flush.go", []edit{{
		"		if err := dir.Sync(); err != nil {",
		"		if err := dir.Sync(); err != nil && dir.Sync() != nil {",
	}}},
	{"directories opened when they are to be flushed", "TestFlushes", "attempt.go", []edit{{
		"		return a.openDirs(a.current.version.IsAbsent())\n",
		"		return nil\n",
	}}},
	{"a failed flush of the published file tried again", "TestFaults", "settle.go", []edit{{
		"		if err := a.renamed.Sync(); err != nil {",
		"		if err := a.renamed.Sync(); err != nil && a.renamed.Sync() != nil {",
	}}},
	{"a failed flush of the staged file tried again", "TestFaults", "flush.go", []edit{{
		"	return s.file.Sync()\n",
		"	if s.file.Sync() == nil {\n		return nil\n	}\n	return s.file.Sync()\n",
	}}},
	{"a failed flush of the directory hidden", "TestFaults", "flush.go", []edit{{
		"			return fmt.Errorf(\"flush the directory: %w\", err)",
		"			return nil",
	}}},
	{"the published file left open", "TestFaults", "settle.go", []edit{{
		"	defer a.closePublished()\n",
		"",
	}, {
		"		a.renamed.Close()\n",
		"",
	}}},
	{"a failed journal is not asked after", "TestBrokenDevice", "settle.go", []edit{{
		"	if err == nil && durable {\n",
		"	if false {\n",
	}}},
	{"what closing a file would tell is not asked", "TestFullWhenClosed", "stage.go", []edit{{
		"	if d.shared.locks.remote.Load() && d.opts.Durability == Volatile {",
		"	if false {",
	}}},
	{"a conflict told after the publish", orders + "/one_that_tries", "cas.go", []edit{{
		"	a.published = true\n	return version, nil\n",
		"	a.published = true\n	if a.d.opts.Retry.MaxTries == 1 {\n		return driver.Absent, a.conflict(version)\n	}\n	return version, nil\n",
	}}},
	{"a failed rename not looked after", "TestFaults", "cas.go", []edit{{
		"	now, lstatErr := a.d.files.Lstat(a.path)\n",
		"	if true {\n		return false, nil\n	}\n	now, lstatErr := a.d.files.Lstat(a.path)\n",
	}}},
	{"litter after an error", "TestFaults", "cas.go", []edit{{
		"			s.discard()\n",
		"			s.file.Close()\n",
	}}},
	{"the lock kept after an error", "TestFaults", "attempt.go", []edit{{
		"func (a *attempt) Close() {\n	a.release()\n",
		"func (a *attempt) Close() {\n",
	}}},
	{"the version that was read left open", "TestFaults", "attempt.go", []edit{{
		"		a.current.close()\n",
		"",
	}}},
	{"a staged file that is not locked", orders + "/^two,_a_sweep", "stage.go", []edit{{
		"		locked, err := file.TryLock()\n		if err == nil && locked {",
		"		locked, err := true, error(nil)\n		if err == nil && locked {",
	}}},
	{"a sweep that does not ask for the lock", orders + "/^two,_a_sweep", "sweep.go", []edit{{
		"		if locked, err := file.TryLock(); err != nil || !locked {\n",
		"		if locked, err := true, error(nil); err != nil || !locked {\n",
	}}},
	{"a displaced version that is not locked", orders + "/ext4:_two,_a_sweep", "cas.go", []edit{{
		"	if locked, err := a.current.file.TryLock(); err != nil || !locked {\n",
		"	if false {\n",
	}}},
	{"a displaced version removed by its name", orders + "/ext4:_two,_a_sweep_and_a_foreign", "cas.go", []edit{{
		"err == nil && now.SameFile(a.current.info) {",
		"err == nil && now.Ino > 0 {",
	}}},
	{"a name in the row removed by one who does not have it", orders + "/^two,_a_sweep", "stage.go", []edit{{
		"		file.Close()\n	}\n}\n",
		"		file.Close()\n		_ = d.files.Remove(name)\n	}\n}\n",
	}}},
	{"the name is not looked at before the publish", "TestAnotherHasTheName", "stage.go", []edit{{
		"err == nil && !now.SameFile(s.info):\n",
		"err == nil && now.Ino == 0:\n",
	}}},
	{"a staged file is removed by its name", "TestAnotherHasTheName", "stage.go", []edit{{
		"	if named, err := s.isNamed(); named && err == nil {\n",
		"	if true {\n",
	}}},
	{"a staged file that has any name has this one", "TestLinkedBeforeItIsLocked", "stage.go", []edit{{
		"	case errors.Is(err, fs.ErrNotExist), err == nil && !now.SameFile(s.info):\n",
		"	case false:\n",
	}}},
	{"what an empty document has lost is swept", "TestNothingIsSweptBesideAnEmptyDocument", "sweep.go", []edit{{
		"	if !guarded && o.d.isBroken(document, o.valid) {\n",
		"	if false {\n",
	}}},
	{"the row looked at once", "TestSweepGoesOn", "sweep.go", []edit{{
		"		r.wait[path] = wait - 1\n",
		"",
	}}},
	{"a row that is full is waited for", "TestRowIsFull", "stage.go", []edit{{
		"		if tried >= names.Places {\n",
		"		if tried > 1000*names.Places {\n			return nil, errNotBelieved\n		}\n		if false {\n",
	}}},
	{"guard: what was displaced is not looked at", orders + "/guard:_two_and_a_foreign", "guard.go", []edit{{
		"	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), s.path)\n",
		"	verifyErr := error(nil)\n",
	}}},
	{"guard: put back without looking again", orders + "/guard:_one_and_two", "guard.go", []edit{{
		"		if found.SameFile(expected) {",
		"		if found.SameFile(expected) || true {",
	}}},
	{"guard: what was deleted is not looked at", orders + "/guard:_one,_a_deleter", "guard.go", []edit{{
		"	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), guarded)\n",
		"	verifyErr := error(nil)\n",
	}}},
	{"guard: what a dead one had displaced is removed", orders + "/guard:_a_sweep", "guard.go", []edit{{
		"	// Somebody else's version.\n",
		"	if true {\n		return true, d.files.Remove(orphan)\n	}\n",
	}}},
	{"guard: swept while its owner looks at it", orders + "/guard:_one,_a_sweeper", "sweep.go", []edit{{
		"	if guarded {\n		// It may be what",
		"	if false {\n		// It may be what",
	}}},
	{"guard: what a dead one has left is not met", "TestGuardDies", "attempt.go", []edit{{
		"	if err == nil && a.held.intent != \"\" {\n",
		"	if false {\n",
	}}},
	{"guard: what a dead one has left is not met, simulated", orders + "/guard:_two,_a_foreign_program_and_a_death", "attempt.go", []edit{{
		"	if err == nil && a.held.intent != \"\" {\n",
		"	if false {\n",
	}}},
	{"guard: nobody hears of its intent", "TestGuardDies", "lockfile.go", []edit{{
		"	if err := h.setMark(markIntents); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"guard: nobody hears of its intent, simulated", orders + "/guard:_two,_a_foreign_program_and_a_death", "lockfile.go", []edit{{
		"	if err := h.setMark(markIntents); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"guard: its mark is not flushed", "TestPowerCuts/an_update_.*guard=true_journal=true", "lockfile.go", []edit{{
		"	if err := h.File.Sync(); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"guard: its mark is taken back", "TestMarks", "lockfile.go", []edit{{
		"	settles := h.mark == markUnknown && h.ours",
		"	settles := h.ours",
	}}},
	{"guard: an unknown mark is settled beside an intent", "TestMarks", "lockfile.go", []edit{{
		"	if settles && errors.Is(err, fs.ErrNotExist) {\n",
		"	if settles && !errors.Is(err, fs.ErrClosed) {\n",
	}}},
	{"guard: its mark may be wrong when it was said to have failed", "TestFaults", "lockfile.go", []edit{{
		" && h.ours && !guards && ",
		" && h.ours && ",
	}}},
	{"guard: a mark in another file", "TestMarks", "lockfile.go", []edit{{
		"	case !h.ours:\n		return h.mark != markNoIntent, nil\n",
		"",
	}}},
	{"guard: an intent that nobody looks for", "TestMarks", "lockfile.go", []edit{{
		"		return h.mark == markUnknown, nil\n",
		"		return true, nil\n",
	}}},
	{"a mark believed over a network", "TestMarks", "lockfile.go", []edit{{
		"	if h.mark == markNoIntent && h.ours && !h.locks.remote.Load() {\n",
		"	if h.mark == markNoIntent && h.ours {\n",
	}}},
	{"guard: no intent", "TestGuardDies", "guard.go", []edit{{
		"	err = a.d.files.Symlink(name.String(), names.Intent(a.path))\n",
		"	err = a.d.files.Symlink(name.String(), names.Intent(a.path))\n	_ = a.d.files.Remove(names.Intent(a.path))\n",
	}}},
	{"guard: the intent goes first", "TestGuardDies", "guard.go", []edit{{
		"	err := ignoreNotExist(a.d.files.Remove(guarded))\n",
		"	_ = a.d.files.Remove(names.Intent(a.path))\n	err := ignoreNotExist(a.d.files.Remove(guarded))\n",
	}}},
	{"guard: the intent outlives what it names", "TestGuardDies", "guard.go", []edit{{
		"	return ignoreNotExist(d.files.Remove(names.Intent(path)))\n",
		"	return nil\n",
	}}},
	{"what was read compared by its size alone", "TestChangedInPlace", "verify.go", []edit{{
		"		if !bytes.Equal(chunk[:n], read.data[at:at+n]) {",
		"		if false {",
	}}},
	{"an exchange that may have happened done over", "TestFaults", "cas.go", []edit{{
		"	happened, unknownErr := a.happened(err, s)\n	if happened {\n		a.displaced",
		"	happened, unknownErr := err == nil, error(nil)\n	if happened {\n		a.displaced",
	}, {
		"lstatErr != nil || !named.SameFile(s.info) {",
		"lstatErr != nil || (!named.SameFile(s.info) && false) {",
	}}},
	{"what was exchanged not removed", "TestFaults", "cas.go", []edit{{
		"		_ = a.d.files.Remove(a.displaced)\n",
		"",
	}}},
	{"batch: without end", "TestBatchLimits", "combine.go", []edit{{
		"		most = maxBatch\n",
		"		most = 10 * maxBatch\n",
	}}},
	{"batch: with other options", "TestBatchLimits", "expect.go", []edit{{
		"	return xShares && yShares && *x == *y\n",
		"	return xShares && yShares && x != nil && y != nil\n",
	}}},
	{"batch: those who built on what is not durable are told that it is", "TestBatchFails", "step.go", []edit{{
		"		err = t.attempt.Settle()\n",
		"		_ = t.attempt.Settle()\n",
	}}},
	{"snapshot: kept however young", "TestReadsAreFresh", "read.go", []edit{{
		"	return now-max(info.Mtime, info.Ctime) >= age\n",
		"	_ = age\n	return true\n",
	}}},
	{"snapshot: kept however young, simulated", "TestReadsWhileTheClockTicks", "read.go", []edit{{
		"	return now-max(info.Mtime, info.Ctime) >= age\n",
		"	_ = age\n	return true\n",
	}}},
	{"snapshot: a time that was set back believed", "TestReadsAreFresh", "read.go", []edit{{
		" && now.Mtime == then.Mtime &&\n		now.Ctime == then.Ctime && now.Mode == then.Mode\n",
		" && now.Mtime == then.Mtime\n",
	}}},
	{"snapshot: kept where not each change shows", "TestSnapshotsWhereChangesShow", "read.go", []edit{{
		"isOfAge(s.info, before) && d.changesShow(at, s.info.Dev, before) {",
		"isOfAge(s.info, before) && at != \"\" {",
	}}},
	{"snapshot: believed after a conflict", "TestConflictDropsSnapshot", "cas.go", []edit{{
		"		d.shared.kept.drop(d, key)\n",
		"",
	}}},
	{"mtime: a young version's bytes are not compared", "TestWrittenWithinATick", "verify.go", []edit{{
		"		if !same || !read.young && now.Ctime == read.info.Ctime {\n",
		"		if true {\n",
	}}},
	{"mtime: chosen where the clock goes on in steps", "TestAutomaticVersions", "mtime.go", []edit{{
		"!(fine && known && d.clockFine()):",
		"!(fine && known):",
	}}},
	{"snapshot: valid under one handle's limits, valid under all", "TestSnapshotAndLimits", "read.go", []edit{{
		"valid != nil && *valid == limits {",
		"valid != nil {",
	}}},
	{"snapshot: what callers can change is shared", "TestDecodedOnce", "typed.go", []edit{{
		"	if isPlain(reflect.TypeFor[T]()) {",
		"	if true {",
	}}},
	{"snapshot: without bounds", "TestSnapshotsAreBounded", "read.go", []edit{{
		"		t.forget(other)\n",
		"		_ = other\n",
	}}},
}
