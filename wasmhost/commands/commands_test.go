package commands

import (
	"maps"
	"slices"
	"testing"

	"github.com/avapd/avapd/compiler/ir"
	"github.com/avapd/avapd/runtime/catalog"
	"github.com/avapd/avapd/wasmhost"
)

// Every function of the host that the catalogue or the compiler names is bound,
// and nothing else.
func TestTotal(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bound := slices.Sorted(maps.Keys(s.Table()))
	bound = append(bound, wasmhost.OwnCommands()...)
	slices.Sort(bound)
	named := map[string]bool{"connector_call": true, "spawn": true, "registered": true} // of methods, of go, of names that are not built in
	prices := map[string]int{}
	for _, c := range catalog.Commands() {
		if c.Host == "" {
			if c.Capability != "" {
				t.Errorf("%s needs %s but imports nothing", c.Name, c.Capability)
			}
			continue
		}
		named[c.Host] = true
		prices[c.Host] = c.FuelUnits
		if c.Capability == "" {
			t.Errorf("%s imports %s without a capability", c.Name, c.Host)
		}
	}
	if want := slices.Sorted(maps.Keys(named)); !slices.Equal(bound, want) {
		t.Errorf("bound %v\nnamed %v", bound, want)
	}
	var known []string
	for _, h := range ir.Hosts() {
		known = append(known, h.Name)
		if price, ok := prices[h.Name]; ok && price != h.FuelUnits {
			t.Errorf("%s costs %d in the catalogue and %d in the compiler", h.Name, price, h.FuelUnits)
		}
	}
	slices.Sort(known)
	if !slices.Equal(known, bound) {
		t.Errorf("known to the compiler %v\nbound %v", known, bound)
	}
}
