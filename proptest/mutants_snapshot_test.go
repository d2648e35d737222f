// The ways in which snapshots are broken.

package proptest

const snapshotOrders = orders + "/snapshot:_"

var snapshotMutants = []mutant{
	{"snapshots: no second look", snapshotOrders + "one_after_the_other,_hash", "collect.go", []edit{{
		"			if same || err != nil {\n",
		"			if same = true; same || err != nil {\n",
	}}},
	{"snapshots: new ones are not looked at again", "TestSnapshotNewOnes", "collect.go", []edit{{
		"		same = false\n		return c.read(key, false)\n",
		"		same = same && c.looks > 1\n		return c.read(key, false)\n",
	}}},
	{"snapshots: a listing in which a name moved", "TestSnapshotMovingNames", "collect.go", []edit{{
		"	same = same && !moving\n",
		"	_ = moving\n",
	}}},
	{"snapshots: not looked at again without the lock", snapshotOrders + "one_after_the_other,_hash", "collect.go", []edit{{
		"			e.pinned = c.held[e.path]\n",
		"			e.pinned = true\n",
	}}},
	{"snapshots: what is locked is not looked at again", "TestSnapshotUnderLocks", "collect.go", []edit{{
		"			if err := c.lock(all); err != nil {\n				return err\n			}\n",
		"			for _, e := range c.sorted() {\n				e.pinned = true\n			}\n			if err := c.lock(all); err != nil {\n				return err\n			}\n",
	}}},
	{"snapshots: a closed file is not told by its ctime", "TestSnapshotForeign", "still.go", []edit{{
		"		(!s.aged || now.Ctime == s.info.Ctime)\n",
		"		(true || now.Ctime == s.info.Ctime)\n",
	}}},
	{"snapshots: young files are closed", "TestSnapshotClosesFiles", "collect.go", []edit{{
		"		case e.s.seen == nil && isOfAge(e.s.info, now) &&\n",
		"		case e.s.seen == nil &&\n",
	}}},
	{"snapshots: all files stay open", "TestSnapshotClosesFiles", "collect.go", []edit{{
		"		case e.s.seen == nil && isOfAge(e.s.info, now) &&\n",
		"		case false && isOfAge(e.s.info, now) &&\n",
	}}},
	{"snapshots: links are not followed again", "TestSnapshotForeign", "collect.go", []edit{{
		"		if err != nil || path != e.path {\n",
		"		if _ = path; err != nil {\n",
	}}},
	{"snapshots: what is not listed is not missed", "TestSnapshotForeign", "collect.go", []edit{{
		"	if e.exists && e.listed != c.looks {\n		return false, nil\n	}\n",
		"	if e.exists && e.listed != c.looks {\n		return true, nil\n	}\n",
	}}},
	{"snapshots: an absent target that may have come and gone", "TestSnapshotDangling", "collect.go", []edit{{
		"	if still && err == nil && e.isLoose() && !c.held[e.path] {\n",
		"	if false {\n",
	}}},
	{"snapshots: no flush", "TestSnapshotPowerCuts", "snapshot.go", []edit{{
		"	if d.opts.Durability != Volatile {\n		if err := s.file.Sync()",
		"	if false {\n		if err := s.file.Sync()",
	}}},
	{"snapshots: no flush of the directory", "TestSnapshotPowerCuts", "snapshot.go", []edit{{
		"	if d.opts.Durability != Durable {\n		return nil\n	}\n	err := dir.Sync()\n",
		"	if d.opts.Durability != Durable {\n		return nil\n	}\n	err := error(nil)\n",
	}}},
	{"snapshots: a failed flush of the directory is hidden", "TestSnapshotFaults", "snapshot.go", []edit{{
		"		return fmt.Errorf(\"%w: flush the directory: %w\", ErrNotDurable, err)\n",
		"		return nil\n",
	}}},
	{"snapshots: a rename that failed is believed", "TestSnapshotFaults", "snapshot.go", []edit{{
		"		case lstatErr == nil && now.SameFile(s.info): // it has happened all the same\n",
		"		case lstatErr == nil && now.SameFile(s.info) && false:\n",
	}}},
	{"snapshots: one with this name is replaced", "TestSnapshotName", "snapshot.go", []edit{{
		"	err = d.files.Rename(s.path, path, fsys.NoReplace)\n",
		"	err = d.files.Rename(s.path, path, fsys.Replace)\n",
	}}},
	{"snapshots: the temporary name is believed", "TestSnapshotName", "snapshot.go", []edit{{
		"	if err == nil && !named {\n",
		"	if false && !named {\n",
	}}},
	{"snapshots: what failed is left", "TestSnapshotFaults|TestSnapshotEnds", "snapshot.go", []edit{{
		"	defer s.discard()\n",
		"",
	}}},
	{"snapshots: what dead makers left stays", "TestSnapshotLeftovers|TestSnapshotPowerCuts", "snapshot.go", []edit{{
		"			_, _ = o.take(entry.Name, names.Snapshot(name), \"\")\n",
		"			_ = o\n",
	}}},
	{"snapshots: what is removed has no name of a snapshot", "TestSnapshotLeftovers", "snapshot.go", []edit{{
		"		if ok && checkKey(name) == nil && entry.Type.IsRegular() {\n",
		"		if ok && entry.Type.IsRegular() {\n",
	}}},
	{"snapshots: an altered document", "TestSnapshotAltered", "archive.go", []edit{{
		"	if hashVersion(data) != e.Version {\n",
		"	if false {\n",
	}}},
	{"snapshots: an altered index", "TestSnapshotAltered", "archive.go", []edit{{
		"	if hashVersion(data) != tail.Index {\n",
		"	if false {\n",
	}}},
	{"snapshots: an altered end", "TestSnapshotAltered", "archive.go", []edit{{
		"err != nil || version != hashVersion(line) {\n",
		"err != nil || version.IsAbsent() {\n",
	}}},
	{"snapshots: another user's is believed", "TestPlantedSnapshot", "snapshot.go", []edit{{
		"	if !isTrusted(found, dir) || found.Links != 1 {\n",
		"	if false {\n",
	}}},
	{"snapshots: wider than a document", "TestSnapshotAccess", "snapshotaccess.go", []edit{{
		"	a.narrow(e.s.info, e.s.info.Mode.Perm())\n",
		"",
	}}},
	{"snapshots: wider than a directory", "TestSnapshotAccess", "snapshotaccess.go", []edit{{
		"		a.narrow(info, info.Mode.Perm()<<2) // who may enter it may read what is in it\n",
		"		_ = info\n",
	}}},
	{"snapshots: the bits of another group", "TestSnapshotAccess", "snapshotaccess.go", []edit{{
		"	if mode&0o400 == 0 || info.GID != a.own.GID && mode&0o044 != 0o044 {\n",
		"	if mode&0o400 == 0 {\n",
	}}},
	{"snapshots: restored whatever was expected", "TestRestoreSnapshot", "snapshotrestore.go", []edit{{
		"			w.doc = w.doc.Expect(expected)\n",
		"			_ = expected\n",
	}}},
	{"snapshots: all are compared before the restore", "TestRestoreIsOne", "snapshotrestore.go", []edit{{
		"		if len(keys) > maxInTransaction && !expects && s.isSo(ctx, w) {\n",
		"		if !expects && s.isSo(ctx, w) {\n",
	}}},
}
