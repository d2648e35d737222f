// The mutants of leases.

package proptest

var leaseMutants = []mutant{
	{"lease: a steal from any version", "TestEveryOrder/(two|three)_stealers", "lease/acquire.go", []edit{{
		"	_, _, err = store.Update(ctx, a.doc.Expect(version), func(d *document) error {\n",
		"	_, _, err = store.Update(ctx, a.doc, func(d *document) error {\n",
	}}},
	{"lease: tokens start again after a release", "TestGrants|TestTokensGrow", "lease/acquire.go", []edit{{
		"	if !version.IsAbsent() {\n",
		"	if !version.IsAbsent() && !found.Free() {\n",
	}, {
		"		if version.IsAbsent() {\n",
		"		if mine.Token == 0 {\n			mine.Token = 1\n		} else if version.IsAbsent() {\n",
	}}},
	{"lease: a release that deletes the token", "TestGrants|TestTokensGrow", "lease/renew.go", []edit{{
		"{ *r = Record{Token: r.Token, Released",
		"{ *r = Record{Token: 1, Released",
	}}},
	{"lease: a new document begins at token 1", "TestGrants|TestTokensGrow", "lease/record.go", []edit{{
		"	return uint64(min(max(now.UnixMicro(), 1), maxToken/2))\n",
		"	return 1\n",
	}}},
	{"lease: a steal keeps the token", "TestEveryOrder", "lease/record.go", []edit{{
		"	return r.Token + 1, nil\n",
		"	return r.Token, nil\n",
	}}},
	{"lease: a waiter that waits for less than the TTL", "TestEveryOrder", "lease/watch.go", []edit{{
		"	left = r.TTL() + r.TTL()/driftParts - ",
		"	left = r.TTL()*15/16 - ",
	}}},
	{"lease: a waiter without a margin for its clock's rate", "TestEveryOrder/clocks_of_different_rates", "lease/watch.go", []edit{{
		"	left = r.TTL() + r.TTL()/driftParts - ",
		"	left = r.TTL() - ",
	}}},
	{"lease: a waiter that does not start again after a renewal", "TestEveryOrder/one_dies|TestEveryOrder/two_that_wait_for_a_dead_holder", "lease/watch.go", []edit{{
		"		w.seen, w.since, w.began, w.any = id, now, w.any, true\n",
		"		if !w.any {\n			w.since = now\n		}\n		w.seen, w.began, w.any = id, w.any, true\n",
	}}},
	{"lease: renewals that look equal", "TestEveryOrder/one_dies", "lease/renew.go", []edit{{
		"		r.Renewals++\n",
		"",
	}}},
	{"lease: wall clocks compared without the skew", "TestEveryOrder/one_comes_later", "lease/watch.go", []edit{{
		"r.Expires().Add(w.skew).Sub",
		"r.Expires().Sub",
	}}},
	{"lease: a wall clock believed in spite of looks", "TestLooksBeforeClocks", "lease/watch.go", []edit{{
		"	if !w.began && w.skew >= 0 {\n",
		"	if w.skew >= 0 {\n",
	}}},
	{"lease: wall clocks compared although they must not be", "TestWaits", "lease/watch.go", []edit{{
		"	if !w.began && w.skew >= 0 {\n",
		"	if !w.began {\n",
	}}},
	{"lease: valid since the answer, not since the request", "TestLateAnswers", "lease/acquire.go", []edit{{
		"	if err == nil {\n		_, err = l.left()",
		"	l.began = a.opts.Now()\n	if err == nil {\n		_, err = l.left()",
	}}},
	{"lease: renewed since the answer, not since the request", "TestLateAnswers", "lease/renew.go", []edit{{
		"	l.extend(began, false)\n",
		"	l.extend(l.opts.Now(), false)\n",
	}}},
	{"lease: an expired grant is renewed", "TestSuspended|TestKeepRenews", "lease/renew.go", []edit{{
		"	if _, err := l.left(); err != nil {\n		return err\n	}\n	if l.opts",
		"	if l.opts",
	}}},
	{"lease: a grant outlives a suspended machine", "TestOneClockAdvances", "lease/lease.go", []edit{{
		"	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))\n",
		"	return now.Sub(then)\n",
	}}},
	{"lease: anybody's grant is renewed", "TestEveryOrder|TestGrants", "lease/renew.go", []edit{{
		"		if lost = nil; d.Nonce != l.nonce {\n",
		"		if lost = nil; d.Nonce == \"\" {\n",
	}}},
	{"lease: a shorter TTL counts from the answer", "TestShorterTTL", "lease/renew.go", []edit{{
		"		l.extend(began, true)\n",
		"",
	}}},
	{"lease: a renewal that hangs keeps the work going", "TestKeepWithoutEngine", "lease/keep.go", []edit{{
		"	k.lapse = time.AfterFunc(l.safe(), k.onLapse)\n",
		"	k.lapse = time.AfterFunc(time.Hour, k.onLapse)\n",
	}}},
	{"lease: the work may use the whole TTL", "TestKeepWithoutEngine", "lease/keep.go", []edit{{
		"	return max(left-l.TTL()/marginParts, 0)\n",
		"	return left\n",
	}}},
	{"lease: a failed renewal is not tried again", "TestKeepTriesAgain", "lease/keep.go", []edit{{
		"			pause = k.lease.TTL() / againParts\n",
		"			pause = k.lease.TTL()\n",
	}}},
	{"lease: renewal ends with the context of the work", "TestKeepWhileTheWorkStops", "lease/keep.go", []edit{{
		"	keeping, end := context.WithCancel(context.WithoutCancel(ctx))\n",
		"	keeping, end := context.WithCancel(ctx)\n",
	}}},
	{"lease: a loss that the work hides", "TestWith", "lease/keep.go", []edit{{
		"			err = ended\n",
		"",
	}}},
	{"lease: an old token admitted", "TestFenceLaw|TestEveryOrder", "lease/fence.go", []edit{{
		"	if token < uint64(*f) {\n",
		"	if false {\n",
	}}},
	{"lease: a token that is not noted", "TestFenceLaw", "lease/fence.go", []edit{{
		"	*f = Fence(token)\n",
		"",
	}}},
	{"lease: Guard does not write the token", "TestFenceLaw|TestEveryOrder", "lease/fence.go", []edit{{
		"		return setFence(made, token)\n",
		"		return made, nil\n",
	}}},
	{"lease: a transaction that does not read the lease", "TestCheck", "lease/fence.go", []edit{{
		"	if d.Nonce != l.nonce {\n		return wrap(\"check",
		"	if false {\n		return wrap(\"check",
	}}},
	{"lease: a document that is no lease is replaced", "TestInvalidDocuments", "lease/record.go", []edit{{
		"		err = d.check()\n",
		"		err = nil\n",
	}}},
	{"lease: a TTL beyond all", "TestInvalidDocuments", "lease/record.go", []edit{{
		"	case r.TTLMillis <= 0 || r.TTLMillis > MaxTTL.Milliseconds():\n",
		"	case r.TTLMillis <= 0:\n",
	}}},
	{"lease: an unknown grant is kept", "TestUnknownOutcome", "lease/acquire.go", []edit{{
		"			l.giveBack(ctx)\n",
		"			_ = ctx\n",
	}}},
	{"lease: a grant that was late", "TestSlowEngine", "lease/acquire.go", []edit{{
		"		_, err = l.left() // the write may have taken longer than the TTL\n",
		"		_ = err\n",
	}}},
	{"lease: a refused steal is done", "TestOnStale", "lease/acquire.go", []edit{{
		"		if err := a.opts.OnStale(ctx, found); err != nil {\n",
		"		if err := a.opts.OnStale(ctx, found); err != nil && false {\n",
	}}},
}
