package auth

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScopes(t *testing.T) {
	var all Scope
	for _, e := range Scopes() {
		if all&e.Scope != 0 || e.Scope&(e.Scope-1) != 0 || e.Doc == "" {
			t.Errorf("%+v", e)
		}
		all |= e.Scope
		got, err := ParseScopes([]string{e.Name})
		if err != nil || got != e.Scope || got.String() != e.Name {
			t.Errorf("%s is read as %v, %v", e.Name, got, err)
		}
	}
	if all != All {
		t.Errorf("all are %b, the table has %b", All, all)
	}
	if diff := cmp.Diff([]string{"execute", "apps:write"}, (WriteApps | Execute).Names()); diff != "" {
		t.Error(diff)
	}
	_, err := ParseScopes([]string{"execute", "commands"})
	if unknown, ok := errors.AsType[*UnknownScopeError](err); !ok || unknown.Name != "commands" {
		t.Error(err)
	}
}

func TestMay(t *testing.T) {
	p := Anonymous(Execute | Check)
	for need, want := range map[Scope]bool{0: true, Execute: true, Execute | Check: true, WriteApps: false, Execute | WriteApps: false} {
		if p.May(need) != want {
			t.Errorf("%s: %v", need, !want)
		}
		if !Admin.May(need) {
			t.Errorf("admin may not %s", need)
		}
	}
}
