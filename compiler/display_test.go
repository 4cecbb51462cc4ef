package compiler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/avapd/avapd/compiler"
	"github.com/avapd/avapd/wasmhost"
)

// TestLongDisplays holds that lists, dicts and templates of many parts are
// compiled: what cannot fail is only long, not complex.
func TestLongDisplays(t *testing.T) {
	const items = 4000
	list, dict, template := make([]string, items), make([]string, items), make([]string, items)
	for i := range items {
		list[i] = fmt.Sprintf("[a, %d]", i)
		dict[i] = fmt.Sprintf("'k%d': b", i)
		template[i] = "{b}"
	}
	script := "a = 1\nb = 'x'\nl = [" + strings.Join(list, ", ") + "]\nd = {" + strings.Join(dict, ", ") + "}\nt = f'" + strings.Join(template, ".") +
		"'\nlast = l[-1]\nn = len(d) + len(t)\naddResult(last)\naddResult(n)\n"
	o := execute(t, newHost(t, wasmhost.EngineCompiler), script, &wasmhost.Input{}, compiler.Options{})
	if want := `{"last":[1,3999],"n":11999}`; string(o.Result) != want {
		t.Errorf("got %s %s, want %s", o.Result, o.Message, want)
	}
}
