package guest

import "github.com/avapd/avapd/runtime/hostcalls"

// The host functions of abi.LibraryImports, as the native build reaches them.

func floatDigits(value float64, mode, ndigits uint32, out Ptr) uint64 {
	return hostcalls.FloatDigits(memory, value, mode, ndigits, uint32(out))
}

func floatParse(p Ptr, n uint32) float64 {
	return hostcalls.FloatParse(memory, uint32(p), n)
}

func unicodeCase(mode uint32, p Ptr, n uint32, out Ptr) uint32 {
	return hostcalls.UnicodeCase(memory, mode, uint32(p), n, uint32(out))
}

func unicodeClass(c uint32) uint32 { return hostcalls.UnicodeClass(c) }

func digest(kind uint32, p Ptr, n uint32, out Ptr) uint32 {
	return hostcalls.Digest(memory, kind, uint32(p), n, uint32(out))
}

func regexGroup(mode uint32, p Ptr, n uint32, name Ptr, nameLen uint32) uint64 {
	return hostcalls.RegexGroup(memory, mode, uint32(p), n, uint32(name), nameLen)
}

func regexFind(mode uint32, p Ptr, n uint32, text Ptr, textLen, from uint32, out Ptr, room uint32) uint64 {
	return hostcalls.RegexFind(memory, nil, mode, uint32(p), n, uint32(text), textLen, from, uint32(out), room)
}

func timeFormat(seconds float64, zone Ptr, zoneLen uint32, format Ptr, formatLen uint32, out Ptr, room uint32) int32 {
	return hostcalls.TimeFormat(memory, nil, seconds, uint32(zone), zoneLen, uint32(format), formatLen, uint32(out), room)
}

func timeParse(p Ptr, n uint32, format Ptr, formatLen uint32) int64 {
	return hostcalls.TimeParse(memory, nil, uint32(p), n, uint32(format), formatLen)
}
