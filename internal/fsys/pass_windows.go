package fsys

import "errors"

// Pass is unsupported: a lock belongs to the process that has taken it.
func Pass(File) (fd int, release func(), err error) { return 0, nil, errors.ErrUnsupported }

// Adopt is unsupported, as is Pass.
func Adopt(int) (File, error) { return nil, errors.ErrUnsupported }
