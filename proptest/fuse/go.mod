// A module of its own, so that the FUSE library does not come with the store.
module github.com/jsonstore/jsonstore/proptest/fuse

go 1.25.0

require (
	github.com/hanwen/go-fuse/v2 v2.9.0
	github.com/jsonstore/jsonstore v0.0.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/petermattis/goid v0.0.0-20260820044319-269ab09b5261 // indirect
	github.com/tidwall/gjson v1.20.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
	github.com/zeebo/xxh3 v1.1.0 // indirect
	golang.org/x/sys v0.44.0 // indirect
)

replace github.com/jsonstore/jsonstore => ../..
