package debug

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/avapd/avapd/internal/wasm"
)

// sourceMap is a source map of version 3 (ECMA-426).
type sourceMap struct {
	Version        int      `json:"version"`
	Sources        []string `json:"sources"`
	SourcesContent []string `json:"sourcesContent"`
	Names          []string `json:"names"`
	Mappings       string   `json:"mappings"`
}

// SourceMap gives the source map of a module. It holds the sources themselves,
// so that it can be read wherever it is. The module counts as one line whose
// columns are offsets in the file.
func (t *Table) SourceMap(layout *wasm.Layout) ([]byte, error) {
	m := sourceMap{Version: 3, Names: []string{}, Mappings: string(t.mappings(layout))}
	for _, s := range t.Sources {
		m.Sources = append(m.Sources, s.Name)
		m.SourcesContent = append(m.SourcesContent, s.Text)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("source map: %w", err)
	}
	return b.Bytes(), nil
}

func (t *Table) mappings(layout *wasm.Layout) []byte {
	columns := make([]unitColumns, len(t.Sources))
	for i, s := range t.Sources {
		columns[i] = newUnitColumns(s.Text)
	}
	var b []byte
	var at, source, line, column int
	for offset, p := range t.rows(layout) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		file := int(offset) + int(layout.CodeStart)
		b = appendVLQ(b, file-at)
		at = file
		if p.Line == 0 {
			continue // a segment without a source
		}
		unit := columns[p.Source].of(p)
		b = appendVLQ(b, p.Source-source)
		b = appendVLQ(b, p.Line-1-line)
		b = appendVLQ(b, unit-column)
		source, line, column = p.Source, p.Line-1, unit
	}
	return b
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// appendVLQ writes a number in digits of five bits, the lowest first and the
// sign lowest of all; the sixth bit says that another digit follows.
func appendVLQ(b []byte, n int) []byte {
	v := uint64(n) << 1
	if n < 0 {
		v = uint64(-n)<<1 | 1
	}
	for ; v >= 32; v >>= 5 {
		b = append(b, base64Digits[v&31|32])
	}
	return append(b, base64Digits[v])
}

// SourceMapURL is the custom section that says where a module's source map is.
func SourceMapURL(url string) wasm.Custom {
	return wasm.Custom{Name: "sourceMappingURL", Bytes: wasm.AppendName(nil, url)}
}
