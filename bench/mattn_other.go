//go:build !cgo

package main

// mattn is not there without cgo.
var mattn dialect
