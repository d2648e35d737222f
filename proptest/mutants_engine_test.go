// The ways in which the transactions of the reference engine are broken. The conformance suite
// must notice each.

package proptest

const memory = "driver/memdriver/memdriver.go"

var engineMutants = []mutant{
	{"engine: part of a transaction is made", "TestConformance/a_transaction_whose", memory, []edit{{
		"	if err := d.checkAll(changes); err != nil {\n		return nil, err\n	}\n",
		"	if err := d.checkAll(changes); err != nil {\n		delete(d.byKey, \"b\")\n		return nil, err\n	}\n",
	}}},
	{"engine: a transaction does not compare", "TestConformance/transfers", memory, []edit{{
		"		if err := d.check(c.Key, c.Old); err != nil {\n			return err\n		}\n",
		"		if err := driver.CheckKind(c.Old, driver.KindRevision); err != nil {\n			return err\n		}\n",
	}}},
	{"engine: what is kept is not compared", "TestConformance/race_of_transactions_that_keep", memory, []edit{{
		"		if err := d.check(c.Key, c.Old); err != nil {\n			return err\n		}\n",
		"		if err := d.check(c.Key, c.Old); err != nil && !c.Keep {\n			return err\n		}\n",
	}}},
	{"engine: what is kept is written", "TestConformance/a_transaction_that_keeps", memory, []edit{{
		"		case c.Keep:\n			versions[i] = c.Old\n",
		"		case c.Keep && !c.Delete:\n			versions[i] = c.Old\n",
	}}},
	{"engine: a conflict names another document", "TestConformance/a_transaction_whose_document", memory, []edit{{
		"		if err := d.check(c.Key, c.Old); err != nil {\n			return err\n		}\n",
		"		if err := d.check(c.Key, c.Old); err != nil {\n			return &driver.ConflictError{Key: changes[0].Key, Want: c.Old}\n		}\n",
	}}},
	{"engine: what is absent is deleted", "TestConformance/a_transaction_whose_document", memory, []edit{{
		"		if c.Delete && !c.Keep && c.Old.IsAbsent() {\n",
		"		if false {\n",
	}}},
	{"engine: two changes of one document", "TestConformance/two_changes", memory, []edit{{
		"		if seen[c.Key] {\n",
		"		if false {\n",
	}}},
	{"engine: the caller's bytes are kept", "TestConformance/bytes_of_a_transaction", memory, []edit{{
		"			d.byKey[c.Key] = document{bytes.Clone(c.Data), versions[i]}\n",
		"			d.byKey[c.Key] = document{c.Data, versions[i]}\n",
	}}},
	{"engine: an ended context is not noticed", "TestConformance/a_transaction_whose_context", memory, []edit{{
		"	if err := ctx.Err(); err != nil {\n		return nil, context.Cause(ctx)\n	}\n	d.mu.Lock()\n",
		"	d.mu.Lock()\n",
	}}},
	{"engine: closed, it goes on", "TestConformance/a_transaction_in_a_closed", memory, []edit{{
		"	if d.closed {\n		d.mu.Unlock()\n		return nil, driver.ErrClosed\n	}\n",
		"	if d.closed {\n		d.byKey = map[string]document{}\n	}\n",
	}}},
	{"engine: the versions in another order", "TestConformance/a_transaction", memory, []edit{{
		"	return versions, nil\n",
		"	slices.Reverse(versions)\n	return versions, nil\n",
	}}},
	{"engine: seen halfway", "TestConformance/readers_beside_transactions", memory, []edit{{
		"			d.revision++\n			versions[i] = driver.RevisionVersion(d.revision)\n",
		"			d.mu.Unlock()\n			time.Sleep(time.Microsecond)\n			d.mu.Lock()\n			d.revision++\n			versions[i] = driver.RevisionVersion(d.revision)\n",
	}, {
		"	\"sync\"\n",
		"	\"sync\"\n	\"time\"\n",
	}}},
	{"engine: the store leaves out what was only read", "TestTransactInMemory", "tx.go", []edit{{
		"		if !c.Keep {\n			c.Data,",
		"		if c.Keep {\n			continue\n		}\n		if !c.Keep {\n			c.Data,",
	}}},
	{"engine: the store takes what is not durable for not done", "TestTransactOutcomes", "tx.go", []edit{{
		"	if err != nil && !errors.Is(err, ErrNotDurable) {\n",
		"	if err != nil {\n",
	}}},
	{"engine: the store tries an unknown outcome again", "TestTransactOutcomes", "tx.go", []edit{{
		"	versions, err := drv.Commit(tx.t.ctx, changes)\n	if errors.Is(err, ErrConflict) {\n",
		"	versions, err := drv.Commit(tx.t.ctx, changes)\n	if errors.Is(err, ErrConflict) || errors.Is(err, ErrUnknown) {\n",
	}}},
	{"engine: a refusal of half a transaction comes back", "TestTransactInMemoryRefuses", "still.go", []edit{{
		"	if docs[0].a == nil {\n",
		"	if docs[0].a == nil {\n		return nil\n	}\n	if docs[0].a == nil {\n",
	}}},
}
