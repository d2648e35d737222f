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
	dir, home := filepath.Split(ts.MkAbs(files[0]))
	info, err := os.Stat(dir)
	ts.Check(err)
	ino := info.Sys().(*syscall.Stat_t).Ino
	var documents []any
	for i, file := range files {
		path := ts.MkAbs(file)
		name := filepath.Base(path)
		mode := fs.FileMode(0o600)
		if info, err := os.Lstat(path); err == nil {
			mode = info.Mode()
		}
		// Two bytes in the lock file say that intents are to be looked for.
		ts.Check(os.WriteFile(dir+"."+name+".lock", []byte("tx"), mode))
		staged := dir + "." + name + "." + id + ".tmp"
		deletion := "d"
		if !deletes {
			ts.Check(os.WriteFile(staged, text, mode))
			deletion = ""
		}
		document := map[string]any{"old": identity(ts, path), "new": identity(ts, staged)}
		if i > 0 {
			document["path"], document["dir"] = name, map[string]any{"ino": ino}
			target := fmt.Sprintf("%s:%d%s:%d:%s", id, i, deletion, ino, home)
			ts.Check(os.Symlink(target, dir+"."+name+".tx"))
		}
		documents = append(documents, document)
	}
	line, err := json.Marshal(map[string]any{"jsonstore": "transaction 1", "id": id,
		"documents": documents})
	ts.Check(err)
	line = append(line, '\n')
	intent := fmt.Appendf(line, "%s\n", sum(line))
	if committed {
		intent = append(intent, 0)
	}
	ts.Check(os.WriteFile(dir+"."+home+".tx", intent, 0o600))
}

func sum(data []byte) string {
	h := xxh3.Hash128(data)
	return fmt.Sprintf("%016x%016x", h.Hi, h.Lo)
}

// identity is that of a file as it is now.
func identity(ts *testscript.TestScript, path string) map[string]any {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]any{}
	}
	ts.Check(err)
	return map[string]any{"ino": info.Sys().(*syscall.Stat_t).Ino,
		"mtime": info.ModTime().UnixNano(), "size": info.Size()}
}
