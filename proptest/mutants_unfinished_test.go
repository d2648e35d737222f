// The ways in which what is said of unfinished transactions is made wrong.

package proptest

var unfinishedMutants = []mutant{
	{"unfinished: any home will do", "TestIntentInfo", "unfinished.go", []edit{{
		"	case !home.isHomeOf(in.id) || !of:\n",
		"	case home.in == nil || of && false:\n",
	}}},
	{"unfinished: a pending one is committed", "TestIntentInfo", "unfinished.go", []edit{{
		"	case home.in.committed:\n",
		"	case home.in.id != \"\":\n",
	}}},
	{"unfinished: the living are dead", "TestIntentInfo", "unfinished.go", []edit{{
		"err != nil || info.Alive {\n",
		"err != nil {\n",
	}, {
		"		// Its process may have",
		"		info.Alive = false\n		// Its process may have",
	}}},
	{"unfinished: no look after the lock", "TestFinishedMeanwhile", "unfinished.go", []edit{{
		"		if err != nil || again.there && again.raw == found.raw {\n",
		"		if err != nil || again.there || !again.there {\n",
	}}},
	{"unfinished: staged files are litter", "TestLook", "internal/verify/litter.go", []edit{{
		"	if len(digits) == names.TransactionDigits {\n",
		"	if len(digits) == names.TransactionDigits+1 {\n",
	}}},
	{"unfinished: an audit sees no difference", "TestRunUnfit/transaction", "internal/verify/transfers.go", []edit{{
		"		if err := CheckSum(\"a view\", sum); err != nil {\n",
		"		if err := error(nil); err != nil {\n",
	}}},
}
