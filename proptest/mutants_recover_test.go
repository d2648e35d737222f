// The mutants of the version that is kept, and of recovery.

package proptest

var recoverMutants = []mutant{
	{"kept: what is broken", "TestKeepsNothingBroken", "keep.go", []edit{{
		" && !a.current.version.IsAbsent() && a.isWhole()\n",
		" && !a.current.version.IsAbsent()\n",
	}}},
	{"kept: what nobody has read", "TestKeepsWhatWasRead", "keep.go", []edit{{
		"	if err != nil || !now.SameFile(read) {\n",
		"	if _ = now.SameFile(read); err != nil {\n",
	}}},
	{"kept: in the place of another user's file", "TestPlantedKept", "keep.go", []edit{{
		"	if !believed {\n		return 0, false, errNotBelieved\n	}\n",
		"",
	}}},
	{"kept: two names of one file are renamed", "TestKeptHasTheDocumentsFile", "keep.go", []edit{{
		"	case found.SameFile(a.current.info):\n		return 0, false, nil\n",
		"",
	}}},
	{"kept: after the lock", "TestInterleavings/kept:_two_and_a_deleter,_hash", "cas.go", []edit{{
		"		if a.published && a.displaced != \"\" && a.keep(a.displaced) {\n			a.displaced = \"\"\n		}\n		if err != nil && !errors.Is(err, ErrUnknown) {\n			a.unlinkEntry()\n		}\n		a.release()\n",
		"		a.release()\n		if a.published && a.displaced != \"\" && a.keep(a.displaced) {\n			a.displaced = \"\"\n		}\n",
	}}},
	{"kept: with a name that a sweep may take", "TestInterleavings/kept:_ordered:_two_and_a_sweep,_hash", "cas.go", []edit{{
		"	if locked, err := a.current.file.TryLock(); err != nil || !locked {\n		return false, nil // another program locks the document itself\n	}\n",
		"",
	}}},
	{"kept: by a rename that waits for the device", "TestKeepCalls", "keep.go", []edit{{
		"	if a.renameWaits() {\n",
		"	if false {\n",
	}}},
	{"kept: not without an exchange", "TestKeepLast$", "cas.go", []edit{{
		"		a.linkKept()\n",
		"",
	}}},
	{"kept: not what is deleted", "TestKeepLast$", "cas.go", []edit{{
		"	if done, err := a.deleteAndKeep(); done || err != nil {\n",
		"	if done, err := a.deleteAndKeep(); false {\n		_ = done\n",
	}}},
	{"kept: not by a guard", "TestKeepLast$", "guard.go", []edit{{
		"			if err == nil {\n				a.keep(guarded)\n			}\n",
		"",
	}}},
	{"kept: what a guard has taken back", "TestInterleavings/(kept:_guard|guard)|TestKept|TestGuard", "guard.go", []edit{{
		"			if err == nil {\n				a.keep(guarded)\n			}\n",
		"			_ = a.d.files.Rename(guarded, names.Kept(a.path), fsys.Replace)\n",
	}}},
	{"recover: a valid document is replaced", "TestRecover$/^defaults$", "restore.go", []edit{{
		"	if r.Problem == nil && opts.From == \"\" {\n",
		"	if false {\n",
	}}},
	{"recover: the broken document is lost", "TestRecover$/truncated", "restore.go", []edit{{
		"	if r.Aside != \"\" {\n		if back,",
		"	if r.Aside != \"\" && false {\n		if back,",
	}}},
	{"recover: the second name is not flushed", "TestRecoverAndPowerCuts", "restore.go", []edit{{
		"	if err == nil && a.d.opts.Durability != Volatile {\n",
		"	if false {\n",
	}}},
	{"recover: without the lock", "TestRecoverInAllOrders", "restore.go", []edit{{
		"	if locked {\n		if err := a.lockOnce(ctx)",
		"	if false {\n		if err := a.lockOnce(ctx)",
	}}},
	{"recover: a dry run does it", "TestRecover$/truncated", "restore.go", []edit{{
		" || r.Taken == nil || opts.DryRun {\n",
		" || r.Taken == nil {\n",
	}}},
	{"recover: the former version takes the place of the kept one", "TestRecover$/defaults", "restore.go", []edit{{
		"	own.KeepLast = false // the kept version stays\n",
		"",
	}}},
	{"recover: a second name stays after a failure", "TestRecoverFaults", "restore.go", []edit{{
		"			back()\n			r.Aside",
		"			_ = back\n			r.Aside",
	}}},
	{"recover: from a living writer", "TestRecoverIsNotFromTheLiving", "candidates.go", []edit{{
		"		if free, err := file.TryLock(); err != nil || !free {\n",
		"		if free, err := file.TryLock(); err != nil {\n			_ = free\n",
	}}},
	{"recover: from what another user may have made", "TestPlantedKept", "candidates.go", []edit{{
		"		if ok, err := d.believes(path, info, 0); err != nil || !ok {\n			return c, cmp.Or(err, errPlanted)\n",
		"		if ok, err := d.believes(path, info, 0); err != nil {\n			_ = ok\n			return c, cmp.Or(err, errPlanted)\n",
	}}},
	{"recover: from the document itself", "TestKeptHasTheDocumentsFile", "candidates.go", []edit{{
		"	if !current.version.IsAbsent() && info.SameFile(current.info) {\n",
		"	if false {\n",
	}}},
	{"recover: from a number that may be cut off", "TestRecover$/a_staged_number", "candidates.go", []edit{{
		"		endsInNumber(c.data) {\n",
		"		endsInNumber(c.data) && false {\n",
	}}},
	{"recover: from the oldest", "TestRecover$/a_staged", "candidates.go", []edit{{
		"		return -cmp.Compare(",
		"		return cmp.Compare(",
	}}},
	{"recover: for more users than could read it", "TestRecoverNarrows", "access.go", []edit{{
		"	mode &^= 0o077 &^ from.common(now.GID, mine[fsys.ACLName])\n",
		"",
	}}},
	{"recover: for another group", "TestRecoverIsForNoOtherGroup", "access.go", []edit{{
		"	if r.info.GID != group {\n",
		"	if false {\n",
	}}},
	{"recover: what it needs is swept", "TestNothingIsSweptBesideABroken", "candidates.go", []edit{{
		"	return !s.version.IsAbsent() && splice.Check(s.data, d.opts.limits()) != nil\n",
		"	return false\n",
	}}},
	{"recover: a writer sweeps what it needs", "TestNothingIsSweptBesideABroken", "sweep.go", []edit{{
		"	if a.current.version.IsAbsent() || a.isWhole() {\n",
		"	if true {\n",
	}}},
	{"recover: what a guard has displaced is removed", "TestRecoverInAllOrders/after_a_guard", "guard.go", []edit{{
		"		if d.isBroken(path, false) {\n",
		"		if false {\n",
	}}},
	{"create if empty: in the place of content", "TestCreateIfEmpty", "swap.go", []edit{{
		"		if len(bytes.TrimSpace(old.data)) > 0 {\n",
		"		if false {\n",
	}}},
}
