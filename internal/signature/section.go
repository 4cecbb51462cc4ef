package signature

import (
	"bytes"
	"crypto/sha256"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/wasm"
)

// The names of the custom sections that the format defines.
const (
	sectionName   = "signature"
	delimiterName = "signature_delimiter"
)

// The bounds of what is read. Those of wasmsign2 are the first two.
const (
	maxHashes       = 64 // of a set, and sets
	maxRecords      = 256
	maxPayloadBytes = 1 << 18
)

func refuse(code diag.Code, format string, args ...any) error {
	return diag.New(code, diag.Span{}, format, args...)
}

// twofold refuses signatures in two places, neither of which is damaged.
func twofold(message, suggestion string) error {
	d := diag.New(diag.SignatureMalformed, diag.Span{}, "%s", message)
	d.Suggestion = suggestion
	return d
}

// parts is a module taken apart: what the signature section holds, and the
// sections that it signs.
type parts struct {
	payload  []byte
	sections []byte
	signed   bool
}

// takeApart finds the signature section. A module that does not begin with one
// is not signed.
func takeApart(module []byte) (parts, error) {
	rest, ok := bytes.CutPrefix(module, []byte(wasm.Header))
	if !ok {
		return parts{}, refuse(diag.ModuleMalformed, "the file does not begin as a WebAssembly module of version 1 does")
	}
	unsigned := parts{sections: rest}
	if len(rest) == 0 {
		return unsigned, nil
	}
	c := cursor{b: rest}
	id, body := c.section()
	if c.failed {
		return parts{}, refuse(diag.ModuleMalformed, "the first section does not end within the module")
	}
	name, payload := customName(id, body)
	if name != sectionName {
		return unsigned, nil
	}
	// A length with more bytes than it needs would be a second way to write the
	// same module.
	if !bytes.HasPrefix(module, join(payload, nil)) {
		return parts{}, refuse(diag.SignatureMalformed, "the lengths of the signature section are not in their shortest form")
	}
	return parts{payload, c.rest(), true}, nil
}

// join puts a module together again.
func join(payload, sections []byte) []byte {
	out := make([]byte, 0, len(wasm.Header)+len(payload)+len(sections)+32)
	out = append(out, wasm.Header...)
	out = wasm.AppendCustom(out, wasm.Custom{Name: sectionName, Bytes: payload})
	return append(out, sections...)
}

// customName gives the name of a custom section, and what it holds. The name
// is empty for other sections, and where it cannot be read.
func customName(id byte, body []byte) (string, []byte) {
	if id != 0 {
		return "", nil
	}
	c := cursor{b: body}
	name := c.bytes(c.u32())
	if c.failed {
		return "", nil
	}
	return string(name), c.rest()
}

// partHashes gives the hash at the end of each part of a module.
func partHashes(sections []byte) ([][]byte, error) {
	var hashes [][]byte
	state := sha256.New()
	c := cursor{b: sections}
	open := true
	for len(c.rest()) > 0 {
		start := c.at
		id, body := c.section()
		if c.failed {
			return nil, refuse(diag.ModuleMalformed, "a section does not end within the module")
		}
		state.Write(sections[start:c.at])
		name, _ := customName(id, body)
		if name == sectionName {
			return nil, refuse(diag.SignatureMalformed, "the signature section is not the first one; take it off before signing")
		}
		open = name != delimiterName
		if !open {
			hashes = append(hashes, state.Sum(nil))
		}
		if len(hashes) >= maxHashes {
			return nil, refuse(diag.ModuleLimit, "more than %d parts in the module", maxHashes-1)
		}
	}
	if open {
		hashes = append(hashes, state.Sum(nil))
	}
	return hashes, nil
}

// cursor reads bytes from front to back. After a failure it gives zeros.
type cursor struct {
	b      []byte
	at     int
	failed bool
}

func (c *cursor) rest() []byte { return c.b[c.at:] }

func (c *cursor) bytes(n uint32) []byte {
	if c.failed || uint64(n) > uint64(len(c.b)-c.at) {
		c.failed = true
		return nil
	}
	start := c.at
	c.at += int(n)
	return c.b[start:c.at:c.at]
}

func (c *cursor) byte() byte {
	if b := c.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// u32 reads unsigned LEB128 of at most 32 bits, which may be padded: what
// stands in the sections of a module is the business of its decoder.
func (c *cursor) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := c.byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	c.failed = true
	return 0
}

// section reads a section of a module.
func (c *cursor) section() (byte, []byte) {
	id := c.byte()
	return id, c.bytes(c.u32())
}
