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
