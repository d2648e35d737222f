// The optional interfaces of a driver. Only this file asks which driver it is.

package store

import (
	"fmt"

	"github.com/jsonstore/jsonstore/driver"
)

// engine is the driver of a DB with its optional parts. A missing part is nil.
type engine struct {
	driver.Driver
	attempter driver.Attempter // updates go step by step
	combiner  driver.Combiner  // one attempt publishes several updates
	files     *fileDriver      // documents are files

	transactor driver.Transactor // several documents at once; files do it otherwise
	watcher    driver.Watcher    // tells of changes; for files the system does
}

func newEngine(drv driver.Driver) *engine {
	e := &engine{Driver: drv}
	e.attempter, _ = drv.(driver.Attempter)
	e.combiner, _ = drv.(driver.Combiner)
	e.files, _ = drv.(*fileDriver)
	e.transactor, _ = drv.(driver.Transactor)
	e.watcher, _ = drv.(driver.Watcher)
	return e
}

// onFiles returns the driver of documents that are files, or ErrUnsupported.
func (d *Doc) onFiles() (*fileDriver, error) {
	switch {
	case d.keyErr != nil:
		return nil, d.keyErr
	case d.drv.files == nil:
		return nil, fmt.Errorf("%w: documents in the engine %q are no files",
			ErrUnsupported, d.drv.Caps().Name)
	}
	return d.drv.files, nil
}
