// Faults of transactions that are known and not yet mended: each test fails without its Skip.

package proptest

import "testing"

// TestKnownFaultTxHistories: histories with views of all keys, and with conflicts that must be
// true ones, are not strictly serializable. TestKnownFaultSwapFromCommitted and
// TestKnownFaultKeysOfView of package store show why. When they are mended, all histories can be
// Strict.
func TestKnownFaultTxHistories(t *testing.T) {
	t.Skip("known faults: false conflicts of swaps, documents that Tx.Keys does not list")
	for range setting(t, "JSONSTORE_TX_HISTORIES", 100) {
		h := recordTransactions(t, 40, txPart{Strict: true})
		h.mustBeSerial(t)
	}
}
