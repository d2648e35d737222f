// Package splice changes JSON text with minimal changes: white space, the order of
// keys, and the spelling of numbers and strings stay. This file has the nodes of a
// parsed document.
package splice

import "fmt"

// Limits are the limits of a document.
type Limits struct {
	Depth              int  // deepest nesting, at most 100,000; 0 means DefaultDepth
	AllowDuplicateKeys bool // else a duplicate key in an object is an error

	large int // for tests, instead of largeBytes
}

// largeFrom is the size from which a document is large.
func (l Limits) largeFrom() int {
	if l.large > 0 {
		return l.large
	}
	return largeBytes
}

const (
	// DefaultDepth is the deepest nesting by default.
	DefaultDepth = 10_000
	// The scanner recurses once a level. This many levels take a few tens of megabytes
	// of stack; a stack overflow ends the program without running deferred calls.
	largestDepth = 100_000
)

func (l Limits) depth() int {
	if l.Depth == 0 {
		return DefaultDepth
	}
	return min(l.Depth, largestDepth)
}

// A SyntaxError says where and why a document is invalid.
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
	unread     bool   // Members or Elems may be incomplete; see tree.go
	count      uint32 // of an unread array, the number of elements, or 0 if not known
	Start, End int
	Members    []Member // of an object
	Elems      []Node   // of an array

	digest uint64 // 0 until computed; see equal.go
}

// A Member is a member of an object. Key is decoded; its text, with the quotes, is
// data[KeyStart:KeyEnd].
type Member struct {
	Key              string
	KeyStart, KeyEnd int
	Value            Node
}

// Find returns the member with a key, or nil if there is none. Of duplicates the last
// counts.
func (n *Node) Find(key string) *Member {
	for i := len(n.Members) - 1; i >= 0; i-- {
		if n.Members[i].Key == key {
			return &n.Members[i]
		}
	}
	return nil
}
