package wasm

// AppendUleb appends v as unsigned LEB128 in the fewest bytes.
func AppendUleb(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendSleb appends v as signed LEB128 in the fewest bytes.
func AppendSleb(b []byte, v int64) []byte {
	for {
		c := byte(v) & 0x7f
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// AppendName appends a length-prefixed UTF-8 name.
func AppendName(b []byte, s string) []byte {
	b = AppendUleb(b, uint64(len(s)))
	return append(b, s...)
}
