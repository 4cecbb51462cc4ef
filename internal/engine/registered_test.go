package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/wasmhost"
)

// Whoever runs registered commands gets their names and their arguments by
// position, and gives a value or an error.
func TestRegisteredCommands(t *testing.T) {
	checkEffects(t, func(c *Config) {
		c.Registered = func(call *wasmhost.Call, name string, args []any) error {
			switch name {
			case "tell":
				return call.Return(fmt.Sprintf("%v", args))
			case "deny":
				return errors.New("not today")
			}
			return wasmhost.NotRegistered(name)
		}
	}, []effect{
		{script: "x = tell(1, , 'a b', word, n, [n, 2.5])\naddResult(x)", want: `{"x":"[1 <nil> a b word 5 [5 2.5]]"}`},
		{script: "x = [tell()]\ntell(1)\naddResult(x)", want: `{"x":["[]"]}`},
		{script: "deny(1)", code: diag.HostFailure, want: "not today"},
		{script: "try()\ndeny(1)\nexception(e)\nend()\naddResult(e)", want: `{"e":"not today"}`},
		{script: "nothere(1)", code: diag.CommandNotFound, want: "Command not found: nothere"},
	})
	checkEffects(t, nil, []effect{
		{script: "nothere(1)", code: diag.CommandNotFound, want: "Command not found: nothere"},
		{script: "x = nothere(1 / 0)", code: diag.DivisionByZero, want: "division by zero"},
	})
}
