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
		{
			name: "bbolt Update",
			about: "a key for each document; several processes open the file for each update, " +
				"since an open file excludes the others",
			open: openBolt(false), create: createBolt, goroutines: true, many: true,
			transacts: true,
		},
		{
			name:  "bbolt Batch",
			about: "the same, combining the updates of goroutines",
			open:  openBolt(true), create: createBolt, goroutines: true, many: true,
			transacts: true,
		},
		{
			name: "SQLite (modernc)",
			about: "a row for each document, WAL, `BEGIN IMMEDIATE`; synchronous FULL for " +
				"durable, else NORMAL, which keeps the order and may lose the latest updates",
			open: openSQLite(modernc), create: createSQLite(modernc), goroutines: true, many: true,
			transacts: true,
		},
	}
	if mattn.driver != "" {
		all = append(all, peer{
			name:  "SQLite (mattn)",
			about: "the same with the C library, by cgo",
			open:  openSQLite(mattn), create: createSQLite(mattn), goroutines: true, many: true,
			transacts: true,
		})
	}
	return all
}

var bucket = []byte("documents")

func createBolt(s setting, document []byte) error {
	db, err := bbolt.Open(s.Path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucket)
		if err != nil {
			return err
		}
		for i := range s.Documents {
			if err := b.Put([]byte(documentName(i)), document); err != nil {
				return err
			}
		}
		return nil
	})
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return err
}

// bolt is a file of bbolt. It is not kept open where other processes need it too.
type bolt struct {
	path  string
	keys  [][]byte
	opts  *bbolt.Options
	batch bool
	db    *bbolt.DB
}

func openBolt(batch bool) func(setting) (handle, error) {
	return func(s setting) (handle, error) {
		if s.Durability == store.Ordered || batch && s.Shared {
			return nil, errNotOffered
		}
		opts := &bbolt.Options{NoSync: s.Durability == store.Volatile}
		b := &bolt{path: s.Path, opts: opts, batch: batch}
		for i := range s.Documents {
			b.keys = append(b.keys, []byte(documentName(i)))
		}
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

func (b *bolt) Update(document int) error { return b.Transact([]int{document}) }

func (b *bolt) Transact(documents []int) error {
	return b.with(func(db *bbolt.DB) error {
		update := db.Update
		if b.batch {
			update = db.Batch
		}
		return update(func(tx *bbolt.Tx) error {
			for _, document := range documents {
				key := b.keys[document]
				changed, err := load.Increment(tx.Bucket(bucket).Get(key))
				if err == nil {
					err = tx.Bucket(bucket).Put(key, changed)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (b *bolt) Read(document int) (data []byte, err error) {
	err = b.with(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			data = append(data, tx.Bucket(bucket).Get(b.keys[document])...)
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

// dialect is a driver of SQLite, and the text by which it opens a database.
type dialect struct {
	driver string
	source string // with verbs for the path and the synchronous mode
}

var modernc = dialect{"sqlite", "file:%s?_txlock=immediate&_pragma=busy_timeout(60000)" +
	"&_pragma=journal_mode(WAL)&_pragma=synchronous(%s)"}

func createSQLite(d dialect) func(s setting, document []byte) error {
	return func(s setting, document []byte) error {
		db, err := sql.Open(d.driver, fmt.Sprintf(d.source, s.Path, "FULL"))
		if err != nil {
			return err
		}
		_, err = db.Exec("CREATE TABLE documents (key TEXT PRIMARY KEY, value BLOB)")
		if err == nil {
			err = insertSQLite(db, s.Documents, document)
		}
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
		return err
	}
}

func insertSQLite(db *sql.DB, documents int, document []byte) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	for i := range documents {
		const insert = "INSERT INTO documents VALUES (?, ?)"
		if _, err := tx.Exec(insert, documentName(i), document); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// sqlite is a table in SQLite. It has one connection, since SQLite has one writer at a time.
type sqlite struct {
	db       *sql.DB
	keys     []string
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
		for i := range s.Documents {
			h.keys = append(h.keys, documentName(i))
		}
		h.get, err = db.Prepare("SELECT value FROM documents WHERE key = ?")
		if err == nil {
			h.put, err = db.Prepare("UPDATE documents SET value = ? WHERE key = ?")
		}
		if err != nil {
			db.Close()
			return nil, err
		}
		return h, nil
	}
}

func (s *sqlite) Update(document int) error { return s.Transact([]int{document}) }

func (s *sqlite) Transact(documents []int) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	for _, document := range documents {
		var data []byte
		if err := tx.Stmt(s.get).QueryRow(s.keys[document]).Scan(&data); err != nil {
			return err
		}
		if data, err = load.Increment(data); err != nil {
			return err
		}
		if _, err := tx.Stmt(s.put).Exec(data, s.keys[document]); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *sqlite) Read(document int) (data []byte, err error) {
	err = s.get.QueryRow(s.keys[document]).Scan(&data)
	return data, err
}

func (s *sqlite) Close() error { return s.db.Close() }
