//go:build !linux && !windows

// Systems without notification of the names in a directory. The kqueue of the BSDs and of
// macOS tells of open files: each file of a directory would have to stay open.

package notify

import (
	"errors"
	"fmt"
	"runtime"
)

func openSource() (source, error) {
	return nil, fmt.Errorf("%w: %s tells of open files only", errors.ErrUnsupported, runtime.GOOS)
}
