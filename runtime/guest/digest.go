package guest

import "github.com/avapd/avapd/runtime/abi"

// EncodeSHA256 is encodeSHA256: the digest of the value's text in lower-case
// hexadecimal.
func EncodeSHA256(v Value) Value { return digestText(abi.DigestSHA256, v) }

// EncodeMD5 is encodeMD5.
func EncodeMD5(v Value) Value { return digestText(abi.DigestMD5, v) }

func digestText(kind uint32, v Value) Value {
	text := Str(orNull(v))
	out := alloc(abi.DigestMaxBytes)
	n := digest(kind, text.textPtr(), text.textLen(), out)
	return textValue(out, n, abi.FlagASCII)
}
