package registry

import (
	"hash/maphash"
	"maps"
)

// tableParts is a trade: an edit copies the parts it touches and the list of all
// of them.
const tableParts = 256

var tableSeed = maphash.MakeSeed()

// table is a map that is not changed: what an edit makes of it shares the parts
// that were not touched.
type table[V any] struct{ parts *[tableParts]map[string]V }

func (t table[V]) get(key string) V {
	if t.parts == nil {
		var none V
		return none
	}
	return t.parts[partOf(key)][key]
}

// all calls f for everything, in no order.
func (t table[V]) all(f func(string, V)) {
	if t.parts == nil {
		return
	}
	for _, part := range t.parts {
		for key, v := range part {
			f(key, v)
		}
	}
}

func partOf(key string) int { return int(maphash.String(tableSeed, key) % tableParts) }

// edit is a table that is being made of another one.
type edit[V any] struct {
	table[V]

	own [tableParts]bool
}

func (t table[V]) edit() *edit[V] {
	e := &edit[V]{table: table[V]{new([tableParts]map[string]V)}}
	if t.parts != nil {
		*e.parts = *t.parts
	}
	return e
}

// part gives the part of a key, to be changed.
func (e *edit[V]) part(key string) map[string]V {
	i := partOf(key)
	if !e.own[i] {
		e.own[i] = true
		e.parts[i] = maps.Clone(e.parts[i])
		if e.parts[i] == nil {
			e.parts[i] = make(map[string]V)
		}
	}
	return e.parts[i]
}

func (e *edit[V]) set(key string, v V) { e.part(key)[key] = v }
func (e *edit[V]) remove(key string)   { delete(e.part(key), key) }
