// Package drivertest checks that an engine keeps the contract of package driver. An
// engine's own test is one call of Run.
package drivertest

import (
	"testing"

	"github.com/jsonstore/jsonstore/driver"
)

// Run checks the engine that open opens. Each call of open must return an engine
// without documents. Run closes it.
func Run(t *testing.T, open func(t *testing.T) driver.Driver) {
	for _, test := range scripts {
		t.Run(test.name, func(t *testing.T) {
			drv := open(t)
			defer closeDriver(t, drv)
			runScript(t, drv, test.steps)
		})
	}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, drv driver.Driver)
	}{
		{"versions are unique or stand for content, as declared", versionsAsDeclared},
		{"a version prints and parses", versionsParse},
		{"bytes are not shared with the caller", bytesAreCopied},
		{"list many keys", listMany},
		{"list in a loop that writes", listWhileWriting},
		{"a context that has ended", endedContext},
		{"race of increments", raceOfIncrements},
		{"race of creators", raceOfCreators},
		{"race of swappers", raceOfSwappers},
		{"race of deleters", raceOfDeleters},
		{"readers beside writers", readersBesideWriters},
	} {
		t.Run(test.name, func(t *testing.T) {
			drv := open(t)
			defer closeDriver(t, drv)
			test.run(t, drv)
		})
	}
	runAttempts(t, open)
	runTransactions(t, open)
	runWatches(t, open)
	t.Run("closed", func(t *testing.T) {
		drv := open(t)
		closeDriver(t, drv)
		closeDriver(t, drv) // a second Close does nothing
		runScript(t, drv, []step{
			{do: read, key: "a", want: closed},
			{do: swap, key: "a", data: "1", want: closed},
			{do: remove, key: "a", want: closed},
			{do: list, want: closed},
		})
	})
}

func closeDriver(t *testing.T, drv driver.Driver) {
	t.Helper()
	if err := drv.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
