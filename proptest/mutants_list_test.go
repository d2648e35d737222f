// The ways in which the listing of keys is broken.

package proptest

var listMutants = []mutant{
	{"list: directories in the order of their names", "TestListOrder", "list.go", []edit{{
		"	slices.Sort(keys)\n",
		"	slices.SortFunc(keys, func(a, b string) int {\n" +
			"		return strings.Compare(strings.TrimSuffix(a, \"/\"), strings.TrimSuffix(b, \"/\"))\n	})\n",
	}}},
	{"list: a prefix leads through a symbolic link", "TestListOrder", "list.go", []edit{{
		"err == nil && !info.Mode.IsDir()",
		"err == nil && info.Mode == 0",
	}}},
	{"list: a directory without keys is read", "TestListReads", "list.go", []edit{{
		"			entry.Type.IsDir() && strings.HasPrefix(l.prefix, key)\n",
		"			entry.Type.IsDir()\n",
	}}},
	{"list: a removed directory is an error", "TestListInALoop", "list.go", []edit{{
		"err != nil && !isGone(err)",
		"err != nil",
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
