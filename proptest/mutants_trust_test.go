// The mutants that trust a name, or that widen access.

package proptest

var trustMutants = []mutant{
	{"trust: a leftover is believed without its owner", "TestPlantedLeftover$", "sweep.go", []edit{{
		"err != nil || !ok {\n			return false, errors.Join(",
		"err != nil {\n			_ = ok\n			return false, errors.Join(",
	}}},
	{"trust: a leftover is believed without its owner, simulated", "TestInterleavings/trust", "trust.go", []edit{{
		"	if err != nil || dir.Mode&fs.ModeSticky == 0 {\n		return err == nil",
		"	if true {\n		return err == nil",
	}}},
	{"trust: a second name of a trusted file is believed", "TestPlantedLeftover$", "trust.go", []edit{{
		" && found.Links == 1, nil\n",
		", nil\n",
	}}},
	{"a lock that others have is written to", "TestLockPath$", "lock.go", []edit{{
		"	if !t.joins(document) {\n		if how.like",
		"	if true {\n		if how.like",
	}}},
	{"a lock that others have gets another access", "TestLockPath$", "lock.go", []edit{{
		"	if !t.joins(document) {\n		if how.like != nil {\n",
		"	if how.like != nil {\n		mendLock(held.File, held.Named, *how.like)\n	}\n	if !t.joins(document) {\n		if false {\n",
	}}},
	{"links are followed when the document is opened", "TestMovedLinks", "file.go", []edit{{
		"	if d.linked != \"\" {\n		return followLinks",
		"	if false {\n		return followLinks",
	}}},
	{"a link may lead to a file of the store's own", "TestMovedToOwnName", "file.go", []edit{{
		"	return target, checkDocumentName(target)\n",
		"	return target, nil\n",
	}}},
	{"a lock is inherited where a link has led before", "TestMovedWhileItWaits", "attempt.go", []edit{{
		"		if err != nil || moved == \"\" {\n			return err\n",
		"		if true {\n			return err\n",
	}}},
	{"a link that has moved is not noticed at last", "TestMovedWhileItIsMade", "verify.go", []edit{{
		"	if moved == \"\" {\n",
		"	if true {\n",
	}}},
	{"a lock of another directory", "TestMovedDirectory", "verify.go", []edit{{
		"	if err != nil || !now.SameFile(a.held.Entry.Info) {\n",
		"	if err != nil || now.Ino == 0 {\n",
	}}},
	{"a file system that is mounted beneath is used", "TestMountedBeneath", "file.go", []edit{{
		"	if d.shared.hasHome && dev == d.shared.home {\n",
		"	if true {\n",
	}}},
	{"a mark set from afar", "TestMarks", "lockfile.go", []edit{{
		" && !guards && !h.locks.remote.Load()\n",
		" && !guards\n",
	}}},
	{"a mark that may not be flushed is relied on", "TestMarks", "lockfile.go", []edit{{
		"	case h.mark == markIntents && (!durable || !h.ours || h.Entry.Of.announced == h.Entry.Info.Ino):\n",
		"	case h.mark == markIntents:\n",
	}}},
	{"a link is moved onto what is locked", "TestMovedOntoLockPath", "lock.go", []edit{{
		"	if document == t.joined { // a link leads there by now\n",
		"	if false {\n",
	}}},
	{"trust: a stranger's lock file says that no intent is there", "TestMarks", "lockfile.go", []edit{{
		"	if h.mark == markNoIntent && h.ours && !h.locks.remote.Load() {\n",
		"	if h.mark == markNoIntent && !h.locks.remote.Load() {\n",
	}}},
	{"trust: an intent is believed without its owner", "TestPlantedIntent", "guard.go", []edit{{
		"link, fs.ModeSymlink); err != nil || !ok {\n",
		"link, fs.ModeSymlink); err != nil {\n		_ = ok\n",
	}}},
	{"trust: a leftover is removed without its document", "TestSweepOnlyOurs", "sweep.go", []edit{{
		"		digits, temporary := names.TemporaryOf(base, entry.Name)\n",
		"		_, digits, temporary := names.Temporary(entry.Name)\n",
	}}},
	{"trust: a name of the store's own is a document", "TestOwnNames", "open.go", []edit{{
		"	if err := checkDocumentName(abs); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"trust: a link to a name of the store's own is followed", "TestOwnNames", "file.go", []edit{{
		"	return target, checkDocumentName(target)\n",
		"	return target, nil\n",
	}}},
	{"trust: another user's link is followed", "TestLinkInStickyDirectory", "file.go", []edit{{
		"	if err := checkLink(files, path); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"a file system that may have other mounts is used", "TestTwoMounts", "open.go", []edit{{
		"	if remote && !opts.AllowNetwork {\n",
		"	if false {\n",
	}}},
	{"access: bits for others stay when the group is lost", "TestNarrowed", "access.go", []edit{{
		"		mode = mode&^0o077 | both<<3 | both\n",
		"		mode = mode&^0o070 | both<<3\n",
	}}},
	{"access: set-user-id of another owner", "TestNarrowed", "access.go", []edit{{
		"	if !owned || !grouped {\n		mode &^= setIDs\n	}\n",
		"",
	}}},
	{"access: the list is lost", "TestAttributesAreKept", "access.go", []edit{{
		"owned && grouped && s.file.SetAttribute(fsys.ACLName, acl) == nil",
		"false",
	}}},
	{"access: an attribute is lost", "TestAttributesAreKept", "access.go", []edit{{
		"		if !label && !strings.HasPrefix(name, \"user.\") {\n",
		"		if !label && (label || len(name) > len(strings.TrimSpace(\"\"))) {\n",
	}}},
	{"access: what changed meanwhile is lost", "TestChangedWhileUpdated", "verify.go", []edit{{
		"now.SameFile(read) && now.Ctime == read.Ctime && ",
		"now.SameFile(read) && ",
	}}},
	{"access: an inherited list stays", "TestInheritedListIsRemoved", "access.go", []edit{{
		"		if err := s.file.Chmod(mode); err != nil {\n",
		"		if err := os.Chmod(s.path, mode); err != nil {\n",
	}, {
		"	\"io/fs\"\n",
		"	\"io/fs\"\n	\"os\"\n",
	}}},
	{"access: a lock file keeps its maker's access", "TestLockIsAsItsDocument", "lock.go", []edit{{
		"			mendLock(held.File, held.Named, *how.like)\n",
		"",
	}}},
	{"access: another file gets it by the name of a lock", "TestLockThatIsAnotherFile", "lockfile.go", []edit{{
		"	return info.Mode.IsRegular() && info.Links == 1 && info.Size <= int64(markIntents)\n",
		"	return true\n",
	}}},
	{"trust: what may not be read hinders", "TestPlantedLeftover$", "sweep.go", []edit{{
		"		o.note(entry.Name, orphaned, err)\n",
		"		if err != nil {\n			return err\n		}\n		o.note(entry.Name, orphaned, err)\n",
	}}},
}
