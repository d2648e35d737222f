//go:build !linux

package store

func mountSmall(string) (unmount func() error, err error) { return nil, ErrUnsupported }
