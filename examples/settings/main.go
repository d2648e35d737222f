// Settings prints or changes the settings of a program, in a file that people and other programs
// edit as well.
//
//	settings FILE               prints them, with the defaults for what is absent
//	settings FILE NAME VALUE    changes one
//
// Members that this version of the program does not know stay, and so do the order of keys and
// white space.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/jsonstore/jsonstore/store"
)

// settings is what this program knows of the document. A member that the document does not have
// is the zero value and stays absent, so the defaults are where the members are read.
type settings struct {
	Theme struct {
		Color string `json:"color"`
	} `json:"theme"`
	Size int `json:"size"`
}

func (s settings) color() string {
	if s.Theme.Color == "" {
		return "light"
	}
	return s.Theme.Color
}

func (s settings) size() int {
	if s.Size == 0 {
		return 12
	}
	return s.Size
}

// set changes a setting, or refuses a value that is not allowed.
func (s *settings) set(name, value string) error {
	switch name {
	case "color":
		if value != "light" && value != "dark" {
			return fmt.Errorf("color %q: want light or dark", value)
		}
		s.Theme.Color = value
	case "size":
		n, err := strconv.Atoi(value)
		if err != nil || n < 6 || n > 72 {
			return fmt.Errorf("size %q: want a number from 6 to 72", value)
		}
		s.Size = n
	default:
		return fmt.Errorf("no setting %q: want color or size", name)
	}
	return nil
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "settings:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 && len(args) != 3 {
		return errors.New("usage: settings FILE [NAME VALUE]")
	}
	doc, err := store.OpenFile(args[0], nil)
	if err != nil {
		return err
	}
	defer doc.Close()
	if len(args) == 3 {
		// What set refuses leaves the document as it is.
		_, _, err := store.Update(ctx, doc, func(s *settings) error {
			return s.set(args[1], args[2])
		})
		return err
	}
	now, _, err := store.Read[settings](ctx, doc)
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		return err
	}
	_, err = fmt.Fprintf(out, "color %s\nsize %d\n", now.color(), now.size())
	return err
}
