package check

import (
	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/catalog"
)

// connectorMethod checks a call of what may be a method of connectors, once it
// is known whether the script has any.
func (c *checker) connectorMethod(x *syntax.MethodCall, f *catalog.Function) {
	source := c.source
	c.later = append(c.later, func() {
		c.source = source
		n := len(x.Args)
		if c.info.Connectors && n >= f.MinArgs && n <= f.MaxArgs && len(x.Keywords) == 0 {
			return
		}
		if c.info.Connectors && !isMethod(x.Name.Name) {
			c.call(x, f, x.Name.Name+"()", x.Args, x.Keywords)
			return
		}
		c.ordinaryMethod(x)
	})
}

func isMethod(name string) bool {
	_, ok := catalog.LookupMethod(name)
	return ok
}

// note remembers what the script needs of the next stages.
func (c *checker) note(cmd *catalog.Command) {
	for _, p := range cmd.Params {
		c.info.SQL = c.info.SQL || p.SQL
	}
	if cmd.Host == catalog.ConnectorHost {
		c.info.Connectors, c.info.SQL = true, true
	}
}
