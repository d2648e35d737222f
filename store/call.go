// One caller in line for a document.

package store

import (
	"context"
	"slices"
	"time"
)

// call is an update that one goroutine waits for.
type call struct {
	doc    *Doc
	ctx    context.Context
	decide decision
	start  time.Time
	line   *line

	orders  chan order // what it is to do next
	replies chan reply

	// Guarded by lines.mu while it is in line.
	state callState
	batch *batch // that it is part of, nil while it is in line

	// What has come of it, for the batch.
	late    bool // it came after the document was read
	tries   int  // tries that conflicted
	at      int  // the state of the document that it made or saw
	version Version
	err     error
}

// decision says what is to become of the document. It may be asked more than once.
type decision func(old docState) (change, error)

// docState is a state of a document, which need not have been published.
type docState struct {
	data    []byte
	exists  bool
	checked bool // an update has made it, which has checked it
}

// change is what is to become of a document.
type change struct {
	kind changeKind
	data []byte // for put
}

type changeKind int

const (
	keep changeKind = iota
	put
	remove
)

type callState int

const (
	waiting  callState = iota // in line, or in a batch until its function is to run
	asked                     // its function is to run, or runs, or it is to lead
	applied                   // its function has run
	leaving                   // likewise, but its context has ended, and its change may yet be published
	left                      // its context has ended, and nobody waits for what comes of it
	answered                  // it has been told
)

// order tells a call what to do.
type order struct {
	kind    orderKind
	old     docState // for toRun
	version Version  // for toReturn
	err     error
}

type orderKind int

const (
	toLead   orderKind = iota // do the update by yourself
	toRun                     // run your function, and reply
	toReturn                  // this has come of it
)

// reply is what came of an order to run.
type reply struct {
	change change
	err    error
	gone   bool // it did not run, or not to its end
}

// lead does the update by itself.
func (c *call) lead() (Version, error) {
	c.batch.run(c.ctx)
	return c.version, c.err
}

// function runs the function, and remembers meanwhile on which goroutine.
func (c *call) function(old docState) (change, error) {
	c.line.running.Store(currentGoroutine())
	defer c.line.running.Store(0)
	return c.decide(old)
}

// run runs the function and replies; also if it panics, which goes on after that.
func (c *call) run(old docState) {
	r := reply{gone: true}
	defer func() {
		c.line.of.mu.Lock()
		c.state = applied
		if r.gone {
			c.state = left
		}
		c.line.of.mu.Unlock()
		c.replies <- r
	}()
	change, err := c.function(old)
	r = reply{change: change, err: err}
}

// leave takes a call out whose context has ended. It reports false if its outcome is on its way.
func (c *call) leave() bool {
	l := c.line
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	switch {
	case c.batch == nil:
		l.calls = slices.DeleteFunc(l.calls, func(other *call) bool { return other == c })
		return true
	case c.state == asked: // and has not heard of it yet
		c.state = left
		if o := <-c.orders; o.kind == toLead {
			l.begin()
		} else {
			c.replies <- reply{gone: true}
		}
		return true
	}
	return c.batch.withdraw(c)
}

// error is the error for the caller. If its context has ended after conflicts, it says so.
func (c *call) error(err error) error {
	if err != nil && c.tries > 0 && c.ctx.Err() != nil {
		return c.conflicted(err)
	}
	return err
}
