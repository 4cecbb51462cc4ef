package hostcalls

import (
	"time"
	_ "time/tzdata" // zones are the same on machines without a database
)

const (
	// zoneCacheBytes has room for the zones of the database and as many names
	// that are none.
	zoneCacheBytes   = 2 << 20
	zoneBytes        = 2048
	maxZoneNameBytes = 64
)

var zones = newCache[*time.Location](zoneCacheBytes)

// zoneNamed gives the zone of an IANA name, the local one for the empty name,
// and nil for a name that is none.
func zoneNamed(name []byte, local *time.Location) *time.Location {
	switch {
	case len(name) == 0 && local == nil:
		return time.UTC
	case len(name) == 0:
		return local
	case len(name) > maxZoneNameBytes || string(name) == "Local":
		return nil
	}
	if zone, ok := zones.get(name); ok {
		return zone
	}
	key := string(name)
	zone, err := time.LoadLocation(key)
	if err != nil {
		zones.put(key, nil, 0)
		return nil
	}
	zones.put(key, zone, zoneBytes)
	return zone
}

// instant gives the Unix time of a wall clock in a zone. A wall clock that
// comes twice is the first of them; one that is skipped counts from the offset
// before the gap, both as Python's datetime has it.
func instant(wall int64, zone *time.Location) int64 {
	const daySeconds = 24 * 60 * 60
	offset := func(unix int64) int64 {
		_, seconds := time.Unix(unix, 0).In(zone).Zone()
		return int64(seconds)
	}
	first := offset(wall)
	unix := wall - first
	second := offset(unix)
	if second == first {
		// One solution; an earlier one may exist.
		second = offset(unix - daySeconds)
		if second == first {
			return unix
		}
	}
	other := wall - second
	switch {
	case other+offset(other) == wall:
		return other
	case unix+offset(unix) == wall:
		return unix
	}
	return max(unix, other)
}
