package compiler

import (
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/catalog"
)

// Format gives a script in its one layout. Imports are followed, because calls
// of a function are read differently from calls of a command; those that
// cannot be loaded are passed over.
func Format(src Source, opts Options) ([]byte, diag.List) {
	c := &compilation{source: src, opts: opts}
	l := &loader{c: c, functions: map[string]bool{}, byPath: map[string]int{}, open: map[string]bool{}}
	l.file(src)
	return syntax.Format(src.Name, []byte(src.Text), syntax.Options{Functions: l.functions, RawParam: catalog.RawParam})
}
