package wasmhost

const hexDigits = "0123456789abcdef"

// appendQuoted writes text, which is valid UTF-8, as a JSON string.
func appendQuoted(b, text []byte) []byte {
	return append(appendEscaped(append(b, '"'), text), '"')
}

// appendEscaped is the inside of a JSON string. Text can be cut anywhere.
func appendEscaped(b, text []byte) []byte {
	start := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, text[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(b, text[start:]...)
}
