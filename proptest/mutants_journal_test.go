// The mutants of journals.

package proptest

const journalCuts = "TestPowerCuts"

var journalMutants = []mutant{
	{"journal: a torn tail continued", "TestTornTail", "journal/live.go", []edit{{
		"	return j.repair(info.Size)\n",
		"	_ = info\n	return nil\n",
	}}},
	{"journal: a torn tail continued, simulated", "TestInterleavings/two_and_a_death", "journal/live.go", []edit{{
		"	return j.repair(info.Size)\n",
		"	_ = info\n	return nil\n",
	}}},
	{"journal: a torn tail dropped", "TestTornTail", "journal/repair.go", []edit{{
		"	path, err := j.setAside(tail)\n",
		"	path, err := \"\", error(nil)\n	_ = tail\n",
	}}},
	{"journal: the copy of a torn tail not flushed", journalCuts + "/two,_a_torn", "journal/repair.go", []edit{{
		"		err = file.Sync()\n",
		"		err = nil\n",
	}}},
	{"journal: the name of a torn tail not flushed", journalCuts + "/two,_a_torn", "journal/repair.go", []edit{{
		"			return path, j.syncDir()\n",
		"			return path, nil\n",
	}}},
	{"journal: zeros after a power cut taken for records", journalCuts + "/two_batches", "journal/live.go", []edit{{
		"bytes.IndexByte(chunk, 0); zero >= 0 {\n",
		"bytes.IndexByte(chunk, 0); zero >= len(buf) {\n",
	}}},
	{"journal: half a line left by a full disk", "TestFaults", "journal/append.go", []edit{{
		"		_ = l.file.Truncate(l.size)\n",
		"",
	}}},
	{"journal: half a line acknowledged", "TestFaults", "journal/append.go", []edit{{
		"r.ends[r.n] <= in {\n",
		"r.ends[r.n] <= in+9 {\n",
	}}},
	{"journal: not flushed", journalCuts + "/two_batches", "journal/append.go", []edit{{
		"	if err := l.file.Sync(); err != nil {\n",
		"	if err := error(nil); err != nil {\n",
	}}},
	{"journal: its name not flushed", journalCuts + "/two_batches", "journal/append.go", []edit{{
		"	if !l.named {\n",
		"	if false {\n",
	}}},
	{"journal: goes on behind a failed flush", "TestFaults", "journal/append.go", []edit{{
		"			j.seal(ctx)\n",
		"",
	}}},
	{"journal: a caller leaves while it is written", "TestGoroutines", "journal/append.go", []edit{{
		"			if j.withdraw(r) {\n				return 0, 0, context.Cause(ctx)",
		"			if j.withdraw(r) || true {\n				return 0, 0, context.Cause(ctx)",
	}}},
	{"journal: a flush for each caller", "TestSharedFlush", "journal/append.go", []edit{{
		"	room := int64(maxBatch)\n",
		"	room := int64(1)\n",
	}}},
	{"journal: rotated without a flush", journalCuts + "/(one_that|two_and_a_rot)", "journal/rotate.go", []edit{{
		"	if j.opts.Durability != store.Volatile {\n		syncErr",
		"	if false {\n		syncErr",
	}}},
	{"journal: a new file before the rotation is on the device", journalCuts + "/one_that_rotates", "journal/live.go", []edit{{
		"	if j.opts.Durability != store.Volatile {\n		if err := j.syncDir()",
		"	if j.opts.Durability > store.Volatile {\n		if err := j.syncDir()",
	}}},
	{"journal: the segment removed before the compressed one is on the device", journalCuts + "/a_rotator", "journal/tidy.go", []edit{{
		"		if err := j.syncDir(); err != nil {\n			return err\n		}\n		return ignoreNotExist(j.files.Remove(s.Path))\n",
		"		return ignoreNotExist(j.files.Remove(s.Path))\n",
	}}},
	{"journal: a compressed segment not flushed", journalCuts + "/a_rotator", "journal/tidy.go", []edit{{
		"	return temp.Sync()\n",
		"	return nil\n",
	}}},
	{"journal: compressed before the rotation is on the device", journalCuts + "/a_rotator_volatile", "journal/tidy.go", []edit{{
		"		if err := j.syncDir(); err != nil {\n			return err\n		}\n		if err := j.files.Rename(",
		"		if err := j.files.Rename(",
	}}},
	{"journal: a removed segment comes back", "TestRemovedWhileCompressed", "journal/tidy.go", []edit{{
		"		if _, err := j.files.Lstat(s.Path); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
	{"journal: the newest segment removed", "TestRetention", "journal/tidy.go", []edit{{
		"	for len(groups) > 1 {",
		"	for len(groups) > 0 {",
	}}},
	{"journal: a segment missed in the directory", "TestMissedSegment", "journal/segments.go", []edit{{
		"err == nil && slices.Equal(before, again) {\n",
		"err == nil {\n			again = before\n",
	}}},
	{"journal: a reader does not see that the file was rotated", "TestInterleavings/one,_a_rotator,_a_late", "journal/read.go", []edit{{
		"		if err == nil && same {\n",
		"		if _ = same; err == nil {\n",
	}}},
	{"journal: a reader joins what was torn and what came in its place", "TestReadWhileRepaired", "journal/source.go", []edit{{
		"	if n, err := s.file.ReadAt(s.buf[:whole], s.offset); n < whole {\n",
		"	if n, err := whole, error(nil); n < whole {\n",
	}}},
	{"journal: a reader keeps half a line", "TestReaderAndTornTail", "journal/source.go", []edit{{
		"	s.offset += int64(whole)\n	return nil\n",
		"	s.offset += int64(whole)\n	if more, _ := s.file.Stat(); more.Size > s.offset {\n		s.offset = more.Size\n	}\n	return nil\n",
	}}},
}
