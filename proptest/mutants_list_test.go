// The mutants of the listing of keys.

package proptest

var listMutants = []mutant{
	{"list: directories in the order of their names", "TestListOrder", "list.go", []edit{{
		"	slices.Sort(keys)\n	moved",
		"	slices.SortFunc(keys, func(a, b string) int {\n" +
			"		return strings.Compare(strings.TrimSuffix(a, \"/\"), strings.TrimSuffix(b, \"/\"))\n	})\n	moved",
	}}},
	{"list: a prefix leads through a symbolic link", "TestListOrder", "list.go", []edit{{
		"isGone(err) || err == nil && !info.Mode.IsDir()",
		"isGone(err) || err == nil && info.Mode == 0",
	}}},
	{"list: a directory without keys is read", "TestListReads", "list.go", []edit{{
		"		wanted = strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)\n",
		"		wanted = true\n",
	}}},
	{"list: a removed directory is an error", "TestListInALoop", "list.go", []edit{{
		"l.directory(key); err != nil && !isGone(err)",
		"l.directory(key); err != nil",
	}}},
	{"list: goes on whatever ends it", "TestListEnds", "list.go", []edit{{
		"		if err := l.check(); err != nil {\n			return err\n		}\n		if",
		"		if",
	}}},
	{"list: what moves meanwhile is left out", "TestListFinds", "list.go", []edit{{
		"l.moved(keys, locked)\n",
		"l.moved(keys, locked[:0])\n",
	}}},
	{"list: a name that moves is listed twice", "TestListFinds", "list.go", []edit{{
		"	return slices.Compact(keys), err\n",
		"	return keys, err\n",
	}}},
}
