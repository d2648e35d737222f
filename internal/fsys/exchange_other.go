//go:build !linux && !darwin

package fsys

import (
	"errors"
	"os"
)

func (s system) exchange(from, to string) error {
	return &os.LinkError{Op: "exchange", Old: from, New: to, Err: errors.ErrUnsupported}
}
