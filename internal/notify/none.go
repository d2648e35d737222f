//go:build !linux

// Systems whose notification is not used. The kqueue of the BSDs and of macOS tells of open
// files: each file of a directory would have to stay open. Windows tells of the names in a
// directory that is open, and one that is open cannot be replaced there.

package notify

import (
	"errors"
	"fmt"
	"runtime"
)

func openSource() (source, error) {
	return nil, fmt.Errorf("%w: %s tells only of what is kept open", errors.ErrUnsupported,
		runtime.GOOS)
}
