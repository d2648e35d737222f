//go:build !linux

package main

// barePeers are only known for Linux.
var barePeers []peer
