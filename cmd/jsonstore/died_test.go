//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/zeebo/xxh3"
)

// died leaves what a transaction leaves whose process dies: died committed|pending TEXT FILE…
// makes TEXT the new version of each file, all in one directory; the first one is the home. With
// TEXT - they are deleted. It writes what docs/format.md says, without the store.
func died(ts *testscript.TestScript, _ bool, args []string) {
	const id = "0123456789abcdef0123456789abcdef"
	committed, text, files := args[0] == "committed", []byte(args[1]+"\n"), args[2:]
	deletes := args[1] == "-"
	for i, file := range files {
		path := ts.MkAbs(file)
		dir, name := filepath.Split(path)
		in := map[string]any{"jsonstore": "transaction 1", "id": id, "old": identity(ts, path)}
		mode := fs.FileMode(0o600)
		if info, err := os.Lstat(path); err == nil {
			mode = info.Mode()
		}
		// Two bytes in the lock file say that intents are to be looked for.
		ts.Check(os.WriteFile(dir+"."+name+".lock", []byte("tx"), mode))
		if !deletes {
			staged := fmt.Sprintf("%032x", i+1)
			ts.Check(os.WriteFile(dir+"."+name+"."+staged+".tmp", text, mode))
			in["staged"], in["new"] = staged, hash(text)
		}
		switch {
		case i > 0:
			in["home"], in["homeDir"] = filepath.Base(files[0]), directory(ts, dir)
		case committed:
			var members, dirs []any
			for _, member := range files[1:] {
				members = append(members, filepath.Base(member))
				dirs = append(dirs, directory(ts, dir))
			}
			in["committed"], in["members"], in["memberDirs"] = true, members, dirs
		}
		line, err := json.Marshal(in)
		ts.Check(err)
		line = append(line, '\n')
		ts.Check(os.WriteFile(dir+"."+name+".tx",
			fmt.Appendf(line, "%s\n", sum(line)), 0o600))
	}
}

// directory identifies a directory, which is that of the intent.
func directory(ts *testscript.TestScript, dir string) map[string]any {
	info, err := os.Stat(dir)
	ts.Check(err)
	return map[string]any{"ino": info.Sys().(*syscall.Stat_t).Ino}
}

func sum(data []byte) string {
	h := xxh3.Hash128(data)
	return fmt.Sprintf("%016x%016x", h.Hi, h.Lo)
}

// hash is a version by content.
func hash(data []byte) string { return fmt.Sprintf("h:%s-%d", sum(data), len(data)) }

// identity is that of a file as it is now.
func identity(ts *testscript.TestScript, path string) map[string]any {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]any{}
	}
	ts.Check(err)
	data, err := os.ReadFile(path)
	ts.Check(err)
	return map[string]any{"ino": info.Sys().(*syscall.Stat_t).Ino,
		"mtime": info.ModTime().UnixNano(), "size": info.Size(), "hash": hash(data)}
}
