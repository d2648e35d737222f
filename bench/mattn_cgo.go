//go:build cgo

package main

import _ "github.com/mattn/go-sqlite3"

var mattn = dialect{"sqlite3", "file:%s?_txlock=immediate&_busy_timeout=60000" +
	"&_journal_mode=WAL&_synchronous=%s"}
