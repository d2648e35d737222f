// The mutants of the confirmation of updates that change nothing.

package proptest

const keptCuts = "TestPowerCuts/(one_that|two_that)_see"

var keepMutants = []mutant{
	{"keep: not flushed", keptCuts, "settle.go", []edit{{
		"	case confirmed && a.d.opts.Durability != Volatile:\n",
		"	case confirmed && a.d.opts.Durability != Volatile && false:\n",
	}}},
	{"keep: the directory is not flushed", keptCuts, "settle.go", []edit{{
		"	if names && a.d.flushOrder(a.path, a.current.info.Dev) == PortableOrder {\n",
		"	if false {\n",
	}}},
	{"keep: without the lock", "TestInterleavings/keep:_what_a_guard", "attempt.go", []edit{{
		"		a.locking = locking{perm: a.d.opts.Perm, spin: a.d.spin(), wait: wait}\n",
		"		if a.current != nil && a.staged == nil {\n			return nil\n		}\n" +
			"		a.locking = locking{perm: a.d.opts.Perm, spin: a.d.spin(), wait: wait}\n",
	}}},
	{"keep: another file with the same content is not looked at", "TestKeepOfAnotherFile", "cas.go", []edit{{
		"	if !a.current.version.IsAbsent() && !now.SameFile(a.current.info) {\n",
		"	if false {\n",
	}}},
	{"flushed in the order of another file system", "TestFlushOrderIsOfTheDevice", "flush.go", []edit{{
		"	if found, ok := f.byDev[dev]; ok && ",
		"	dev = 0\n	if found, ok := f.byDev[dev]; ok && ",
	}}},
	{"flushed in an order found out long ago", "TestFlushOrderIsOfTheDevice", "flush.go", []edit{{
		"now-found.at < knownFor && now >= found.at",
		"now >= found.at",
	}}},
	{"FUSE taken for local", "TestFUSEIsNotLocal", "internal/fsys/system_linux.go", []edit{{
		"\"ext4\", \"f2fs\", ",
		"\"ext4\", \"fuse\", \"f2fs\", ",
	}}},
	{"keep: what went wrong is believed", "TestNotDurableIsMadeAgain", "settle.go", []edit{{
		"		f.wrong = map[string]bool{path: true}\n",
		"",
	}, {
		"		f.wrong[path] = true\n",
		"",
	}}},
	{"keep: a file is known by its number", "TestKeepOfWhatIsKnown", "settle.go", []edit{{
		"now.Mtime == then.Mtime && now.Ctime == then.Ctime\n",
		"true\n",
	}}},
	{"keep: an ordered one rests on what may be torn", keptCuts, "settle.go", []edit{{
		"	case confirmed && a.d.opts.Durability != Volatile:\n",
		"	case confirmed && durable:\n",
	}}},
	{"the names of directories are not flushed, simulated", "TestPowerCutsOfDirectories", "flush.go", []edit{{
		"!all && a.d.shared.flushed.knowsDir(own)",
		"!all",
	}}},
	{"the names of directories are not flushed", "TestParentsAreFlushed", "flush.go", []edit{{
		"!all && a.d.shared.flushed.knowsDir(own)",
		"!all",
	}}},
	{"what is made and deleted in one batch is published", "TestMadeAndDeletedInOneBatch", "combine.go", []edit{{
		"return unique && s.exists }",
		"return unique }",
	}}},
}
