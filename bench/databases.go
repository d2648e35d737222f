// Embedded databases.

package main

import (
	"database/sql"
	"fmt"

	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"

	"github.com/jsonstore/jsonstore/internal/load"
	"github.com/jsonstore/jsonstore/store"
)

func databasePeers() []peer {
	all := []peer{
		{name: "bbolt Update", about: "one key; among processes, which exclude each other as long as they have it open, opened for each update", open: openBolt(false), create: createBolt, goroutines: true},
		{name: "bbolt Batch", about: "the same, combining what goroutines do", open: openBolt(true), create: createBolt, goroutines: true},
		{name: "SQLite (modernc)", about: "one row, WAL, `BEGIN IMMEDIATE`; synchronous FULL for durable, else NORMAL, which keeps the order and may lose the latest", open: openSQLite(modernc), create: createSQLite(modernc), goroutines: true},
	}
	if mattn.driver != "" {
		all = append(all, peer{name: "SQLite (mattn)", about: "the same, the C library by cgo", open: openSQLite(mattn), create: createSQLite(mattn), goroutines: true})
	}
	return all
}

var bucket, key = []byte("documents"), []byte("document")

func createBolt(path string, document []byte) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucket)
		if err != nil {
			return err
		}
		return b.Put(key, document)
	})
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return err
}

// bolt is a document in bbolt. Where others want it too it is not kept open.
type bolt struct {
	path  string
	opts  *bbolt.Options
	batch bool
	db    *bbolt.DB
}

func openBolt(batch bool) func(setting) (handle, error) {
	return func(s setting) (handle, error) {
		if s.Durability == store.Ordered || batch && s.Shared {
			return nil, errNotOffered
		}
		b := &bolt{path: s.Path, opts: &bbolt.Options{NoSync: s.Durability == store.Volatile}, batch: batch}
		var err error
		if !s.Shared {
			b.db, err = bbolt.Open(b.path, 0o600, b.opts)
		}
		return b, err
	}
}

func (b *bolt) with(do func(db *bbolt.DB) error) error {
	if b.db != nil {
		return do(b.db)
	}
	db, err := bbolt.Open(b.path, 0o600, b.opts)
	if err != nil {
		return err
	}
	err = do(db)
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (b *bolt) Update() error {
	return b.with(func(db *bbolt.DB) error {
		update := db.Update
		if b.batch {
			update = db.Batch
		}
		return update(func(tx *bbolt.Tx) error {
			changed, err := load.Increment(tx.Bucket(bucket).Get(key))
			if err != nil {
				return err
			}
			return tx.Bucket(bucket).Put(key, changed)
		})
	})
}

func (b *bolt) Read() (data []byte, err error) {
	err = b.with(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			data = append(data, tx.Bucket(bucket).Get(key)...)
			return nil
		})
	})
	return data, err
}

func (b *bolt) Close() error {
	if b.db == nil {
		return nil
	}
	return b.db.Close()
}

// dialect is how a driver wants to be told.
type dialect struct {
	driver string
	source string // with the path and the synchronous mode
}

var modernc = dialect{"sqlite", "file:%s?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(%s)"}

func createSQLite(d dialect) func(path string, document []byte) error {
	return func(path string, document []byte) error {
		db, err := sql.Open(d.driver, fmt.Sprintf(d.source, path, "FULL"))
		if err != nil {
			return err
		}
		_, err = db.Exec("CREATE TABLE documents (key TEXT PRIMARY KEY, value BLOB)")
		if err == nil {
			_, err = db.Exec("INSERT INTO documents VALUES ('document', ?)", document)
		}
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
		return err
	}
}

// sqlite is a row in SQLite. There is one connection, since there can be one writer.
type sqlite struct {
	db       *sql.DB
	get, put *sql.Stmt
}

func openSQLite(d dialect) func(setting) (handle, error) {
	return func(s setting) (handle, error) {
		synchronous := "NORMAL"
		if s.Durability == store.Durable {
			synchronous = "FULL"
		}
		db, err := sql.Open(d.driver, fmt.Sprintf(d.source, s.Path, synchronous))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		h := &sqlite{db: db}
		h.get, err = db.Prepare("SELECT value FROM documents WHERE key = 'document'")
		if err == nil {
			h.put, err = db.Prepare("UPDATE documents SET value = ? WHERE key = 'document'")
		}
		if err != nil {
			db.Close()
			return nil, err
		}
		return h, nil
	}
}

func (s *sqlite) Update() error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing, after the commit
	var data []byte
	if err := tx.Stmt(s.get).QueryRow().Scan(&data); err != nil {
		return err
	}
	if data, err = load.Increment(data); err != nil {
		return err
	}
	if _, err := tx.Stmt(s.put).Exec(data); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *sqlite) Read() (data []byte, err error) {
	err = s.get.QueryRow().Scan(&data)
	return data, err
}

func (s *sqlite) Close() error { return s.db.Close() }
