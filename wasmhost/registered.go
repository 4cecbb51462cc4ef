package wasmhost

import (
	"errors"

	"github.com/avapd/avapd/runtime/abi"
)

// Registered runs a command that is registered under a name. The arguments are
// by position; one that was not given is nil. It gives the result to the Call.
// Its error is the caller's; see NotRegistered.
type Registered func(c *Call, name string, args []any) error

// NotRegistered is the error of a Registered that knows no command of the name.
func NotRegistered(name string) error { return &commandError{hostMissing, errors.New(name)} }

// registered is what scripts import for every command that is not built in.
func registered(c *Call) error {
	name, err := c.Value(0)
	if err != nil {
		return err
	}
	text, isText := name.(string)
	if !isText {
		return errCorrupt
	}
	if c.e.host.config.Registered == nil {
		return NotRegistered(text)
	}
	value, err := c.Value(1)
	if err != nil {
		return err
	}
	args, isList := value.([]any)
	if !isList {
		return errCorrupt
	}
	return c.e.host.config.Registered(c, text, args)
}

// errorCode is how the guest's error cells call an error of a command.
func errorCode(detail uint32) uint32 {
	if detail == hostMissing {
		return abi.ErrCommand
	}
	return abi.ErrHost
}
