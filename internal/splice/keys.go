// Scans the keys of objects and detects duplicates.

package splice

import (
	"bytes"
	"hash/maphash"
)

// keyText is a key: data[start:end], and its decoded text.
type keyText struct {
	start, end int
	text       []byte
}

// memberKey scans a key into k, and the colon after it. A duplicate in the object,
// whose keys begin at first, is an error unless duplicates are allowed.
func (s *scanner) memberKey(k *keyText, first int, many *keySet) error {
	if s.pos >= len(s.data) || s.data[s.pos] != '"' {
		return s.unexpected("a key in quotes")
	}
	k.start = s.pos
	escaped, err := s.str()
	if err != nil {
		return err
	}
	k.end = s.pos
	k.text = decode(s.data[k.start:k.end], escaped)
	if !s.lim.AllowDuplicateKeys && s.isDouble(first, many, k.text) {
		return s.fail(k.start, "duplicate key %s in one object", s.data[k.start:k.end])
	}
	s.space()
	if s.pos >= len(s.data) || s.data[s.pos] != ':' {
		return s.unexpected("':'")
	}
	s.pos++
	s.space()
	return nil
}

// fewKeys is the number of keys of one object up to which duplicates are found by
// comparing one by one.
const fewKeys = 16

// keySet is a hash table of the keys of one object, with open addressing. It has their
// indexes, counted from 1; at least half of it is empty.
type keySet struct {
	places []uint32
	seed   maphash.Seed
}

// isDouble reports whether the object whose keys begin at first already has the key,
// and adds it.
func (s *scanner) isDouble(first int, set *keySet, key []byte) bool {
	keys := s.keys[first:]
	if len(keys) < fewKeys {
		for _, other := range keys {
			if bytes.Equal(other, key) {
				return true
			}
		}
	} else {
		if 2*len(keys) >= len(set.places) {
			set.grow(keys)
		}
		place := set.find(keys, key)
		if *place != 0 {
			return true
		}
		*place = uint32(len(keys) + 1)
	}
	s.keys = push(s.keys, key)
	return false
}

// grow makes the set at least four times as large as the number of keys.
func (set *keySet) grow(keys [][]byte) {
	if set.places == nil {
		set.seed = maphash.MakeSeed()
	}
	size := 4 * fewKeys
	for size < 4*len(keys) {
		size *= 2
	}
	set.places = make([]uint32, size)
	for i, key := range keys {
		*set.find(keys, key) = uint32(i + 1)
	}
}

// find returns the slot of a key, or the empty slot where it belongs.
func (set *keySet) find(keys [][]byte, key []byte) *uint32 {
	mask := uint64(len(set.places) - 1)
	for at := maphash.Bytes(set.seed, key) & mask; ; at = (at + 1) & mask {
		if place := &set.places[at]; *place == 0 || bytes.Equal(keys[*place-1], key) {
			return place
		}
	}
}
