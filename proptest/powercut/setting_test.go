// The settings of a run, from the environment.

package powercut

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jsonstore/jsonstore/store"
)

// number returns a number from the environment.
func number(t *testing.T, variable string, ordinary uint64) uint64 {
	t.Helper()
	text, ok := os.LookupEnv(variable)
	if !ok {
		return ordinary
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// modes are the modes of processes that write at the same time.
var modes = []store.Options{{}, {Versions: store.VersionMtime}, {Locking: true},
	{GuardForeign: true}}

// fileSystems returns the file systems of JSONSTORE_CUT_FS, or the default ones.
func fileSystems(ordinary ...string) []string {
	if text, ok := os.LookupEnv("JSONSTORE_CUT_FS"); ok {
		return strings.Split(text, ",")
	}
	return ordinary
}

// flushOrder returns the flush sequence of JSONSTORE_CUT_ORDER.
func flushOrder(t *testing.T) store.FlushOrder {
	t.Helper()
	text, ok := os.LookupEnv("JSONSTORE_CUT_ORDER")
	for _, order := range []store.FlushOrder{store.AutoOrder, store.PortableOrder,
		store.JournalOrder} {
		if !ok || text == order.String() {
			return order
		}
	}
	t.Fatalf("JSONSTORE_CUT_ORDER=%s: want auto, portable or journal", text)
	return 0
}
