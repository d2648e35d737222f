//go:build !unix

// Seeds needs the signals and file locks of Unix.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "seeds: it needs the signals and file locks of Unix")
	os.Exit(1)
}
