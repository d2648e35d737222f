// How the command starts another process of itself.

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/jsonstore/jsonstore/internal/crew"
)

// self is this program with the verb of a worker.
func self(verb string) (crew.Program, error) {
	path, err := os.Executable()
	switch {
	case err != nil:
		// Without /proc the path follows from the name that the program was called by.
		if path = find(os.Args[0], os.Getenv("PATH")); path == "" {
			return crew.Program{}, fmt.Errorf("start this program again: %v", err)
		}
	case runtime.GOOS == "linux":
		path = "/proc/self/exe" // this very program, even if its file was replaced
	}
	// A program with several names looks at the one that it was called by.
	return crew.Program{Path: path, Args: []string{os.Args[0], verb}}, nil
}

// find looks a program up as a shell does. It returns "" if there is none.
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
