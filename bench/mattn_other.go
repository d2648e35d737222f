//go:build !cgo

package main

// mattn needs cgo.
var mattn dialect
