// Package splice changes JSON text and leaves alone what it need not change: white space,
// the order of keys, the spelling of numbers and strings. This file has what a document
// is taken apart into.
package splice

import "fmt"

// Limits bounds what is accepted.
type Limits struct {
	Depth              int  // deepest nesting; 0 means DefaultDepth, and 100,000 is the most
	AllowDuplicateKeys bool // else a key that stands twice in an object is an error

	large int // for tests, instead of largeBytes
}

// largeFrom is from what size on a document is large.
func (l Limits) largeFrom() int {
	if l.large > 0 {
		return l.large
	}
	return largeBytes
}

const (
	// DefaultDepth is the deepest nesting where Limits say nothing.
	DefaultDepth = 10_000
	// The scanner calls itself once a level. This many levels take a few tens of megabytes of
	// stack; a stack that overflows ends the program, whatever it has deferred.
	largestDepth = 100_000
)

func (l Limits) depth() int {
	if l.Depth == 0 {
		return DefaultDepth
	}
	return min(l.Depth, largestDepth)
}

// A SyntaxError says where a document is not what it must be.
type SyntaxError struct {
	Offset       int // in bytes, from 0
	Line, Column int // from 1; a column is a byte
	Msg          string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Kind is the kind of a value.
type Kind byte

// The kinds of value.
const (
	Null Kind = iota
	False
	True
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "false", "true", "a number", "a string", "an array", "an object"}[k]
}

// A Node is a value in a document: data[Start:End].
type Node struct {
	Kind       Kind
	Start, End int
	Members    []Member // of an object
	Elems      []Node   // of an array

	unread bool   // there may be parts that are not in Members or Elems; see tree.go
	digest uint64 // 0 until it is needed; see digest.go
}

// A Member is a member of an object. Key is decoded; its text, with the quotes, is
// data[KeyStart:KeyEnd].
type Member struct {
	Key              string
	KeyStart, KeyEnd int
	Value            Node
}

// Find returns the member with a key, nil if there is none. Of several the last one
// counts.
func (n *Node) Find(key string) *Member {
	for i := len(n.Members) - 1; i >= 0; i-- {
		if n.Members[i].Key == key {
			return &n.Members[i]
		}
	}
	return nil
}
