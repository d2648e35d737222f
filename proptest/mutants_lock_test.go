package proptest

// lockMutants are defects of the lock that documents, journals and package lock have.
var lockMutants = []mutant{
	{"lock: a file that was removed", "TestExplore/a_remover", "internal/filelock/filelock.go", []edit{{
		"	return named, err == nil && named.SameFile(locked), err\n",
		"	return named, err == nil, err\n",
	}}},
	{"lock: a file that is gone", "TestExplore/a_remover", "internal/filelock/filelock.go", []edit{{
		"		return named, false, nil\n	}\n",
		"		return named, true, nil\n	}\n",
	}}},
	{"lock: kept after an error", "TestLeftWait", "internal/filelock/wait.go", []edit{{
		"		if err != nil || !w.joined {\n",
		"		if err != nil {\n",
	}}},
	{"lock: an exclusive one is shared", "TestExplore/three", "internal/filelock/gate.go", []edit{{
		"		return file.TryLock()\n",
		"		return file.TryLockShared()\n",
	}}},
	{"lock: no gate", "TestOvertake", "internal/filelock/gate.go", []edit{{
		"	if how.NoGate {\n",
		"	if true {\n",
	}}},
	{"lock: who waits does not keep the gate", "TestOvertake", "internal/filelock/gate.go", []edit{{
		"		_ = gate.Lock(0)\n",
		"",
	}}},
	{"lock: shared again within a command, by the gate", "TestLentShared", "internal/filelock/inherit.go", []edit{{
		"		if locked, err = file.TryLockShared(); locked {\n",
		"		if locked, err = t.try(file, c.target, &Request{Shared: true}); locked {\n",
	}}},
	{"lent: the descriptor is not asked for the lock", "TestForged|TestLenderIsGone", "internal/filelock/inherit.go", []edit{{
		"		if locked, err := l.file.TryLock(); err != nil || !locked {\n",
		"		if false {\n",
	}}},
	{"lent: the descriptor may be another file's by now", "TestReusedDescriptor", "internal/filelock/inherit.go", []edit{{
		"err != nil || !is.SameFile(l.info) {\n",
		"false && is == l.info {\n			_ = err\n",
	}}},
	{"lent: the descriptor may be of another file", "TestForged", "internal/filelock/inherit.go", []edit{{
		"		if except(l) || !l.info.SameFile(locked) {\n",
		"		if except(l) {\n",
	}, {
		"		now, same, err := t.stillNamed(path, l.info)\n		if !same {\n",
		"		now, same, err := t.stillNamed(path, l.info)\n		if false && same {\n",
	}, {
		"err != nil || !is.SameFile(l.info) {\n",
		"err != nil {\n			_ = is\n",
	}}},
	{"lent: its file may be gone", "TestExplore/lent$", "internal/filelock/inherit.go", []edit{{
		"	named, same, err := t.stillNamed(c.target, inner.info)\n	if !same {\n",
		"	named, same, err := t.stillNamed(c.target, inner.info)\n	if false && same {\n",
	}}},
	{"lent: those within do not exclude each other", "TestExplore/lent$", "internal/filelock/inherit.go", []edit{{
		"	if locked, err := t.try(file, path, &asked); locked || err != nil {\n",
		"	if locked, err := t.try(file, path, &asked); locked || err != nil || true {\n",
	}}},
	{"lent: taken back from its user", "TestExplore/lent$|TestEndWaits", "internal/filelock/lend.go", []edit{{
		"	if !l.shared {\n		if err",
		"	if false {\n		if err",
	}}},
	{"lent: what is left in the background keeps it", "TestEndWaits", "internal/filelock/lend.go", []edit{{
		"	err := l.file.Unlock()\n",
		"	var err error\n",
	}}},
	{"lent: the name stays", "TestLent$|TestExplore/lent$", "internal/filelock/lend.go", []edit{{
		"	if err := ignoreNotExist(l.files.Remove(l.path)); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"lent: only the last of the descriptors counts", "TestLentOn", "internal/filelock/inherit.go", []edit{{
		"	for i, l := range c.loans {\n",
		"	for i, l := range c.loans[:0] {\n",
	}, {
		"		if except(l) || !l.info.SameFile(locked) {\n",
		"		if except(l) {\n",
	}}},
	{"lent: an upgrade waits", "TestExplore/lent_shared$|TestLentShared", "internal/filelock/inherit.go", []edit{{
		"			return false, ErrUpgrade\n",
		"			return false, nil\n",
	}}},
	{"lent: who has no descriptor waits", "TestForged", "internal/filelock/inherit.go", []edit{{
		"				return true\n",
		"				return false\n",
	}}},
	{"lent: who misses the inner descriptor waits", "TestMissesInner", "internal/filelock/inherit.go", []edit{{
		"	case t.Inherited.missesDescriptor(t.Files, lock, c.loans[len(c.loans)-1].digits):\n",
		"	case false && lock == \"\":\n",
	}}},
	{"lent: a stale lender gets the number of a new one", "TestStaleLender", "internal/filelock/lend.go", []edit{{
		"			locks[i] = \":\" + digits\n",
		"			_, _ = i, digits\n",
	}}},
	{"lent: a stale lender counts within a new one", "TestStaleLender", "internal/filelock/inherit.go", []edit{{
		"in.digits[slices.Index(in.digits, lender)+1:] {\n",
		"in.digits[:len(in.digits)+0*len(lender)] {\n",
	}}},
	{"lent: what is in use is swept", "TestSweepLent", "sweep.go", []edit{{
		"	if err != nil || held || !o.remove {\n",
		"	if err != nil || !o.remove {\n",
	}}},
}
