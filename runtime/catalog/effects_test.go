package catalog

import (
	"slices"
	"testing"

	"github.com/avapd/avapd/runtime/abi"
)

// What there is to be granted is what commands need.
func TestAllCapabilities(t *testing.T) {
	fields := []string{abi.SpawnField, abi.RegisteredField}
	for i := range commands {
		fields = append(fields, commands[i].Host)
	}
	if needed := Capabilities(fields); !slices.Equal(needed, AllCapabilities()) {
		t.Errorf("commands need %q, there are %q", needed, AllCapabilities())
	}
}
