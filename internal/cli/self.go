// How the program starts itself again, as another process.

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/jsonstore/jsonstore/internal/crew"
)

// self is this program, as a worker with that verb.
func self(verb string) (crew.Program, error) {
	path, err := os.Executable()
	switch {
	case err != nil:
		// Without /proc there is the name that it was called by.
		if path = find(os.Args[0], os.Getenv("PATH")); path == "" {
			return crew.Program{}, fmt.Errorf("start this program again: %v", err)
		}
	case runtime.GOOS == "linux":
		path = "/proc/self/exe" // this very program, also when another one has replaced its file
	}
	// A program of several names goes by the one that it was called by.
	return crew.Program{Path: path, Args: []string{os.Args[0], verb}}, nil
}

// find is the path of a program that was called by a name, as a shell finds it, or else nothing.
func find(name, dirs string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dir := range filepath.SplitList(dirs) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() &&
			info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
