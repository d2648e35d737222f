// Jsonstore reads and changes small JSON files that others change too.
package main

import (
	"os"

	"github.com/jsonstore/jsonstore/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
