//go:build !linux

// Stubs for what is only tested on Linux.

package proptest

import "errors"

const canExchange = false

func exchange(string, string) error { return errors.ErrUnsupported }

func withFlock(string, func() error) error { return errors.ErrUnsupported }
