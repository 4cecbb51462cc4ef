package engine

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"testing"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/wasmhost/commands"
)

// An execution that is under way when the policy changes goes on with the
// connection it has; the next one finds the new policy. What cannot be opened
// changes nothing.
func TestAdjust(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-leave
		_, _ = w.Write([]byte("hello"))
	}))
	defer server.Close()
	e := newEngine(t, nil, func(c *Config) {
		c.Compiler = nil
		c.Commands.Egress.Allow = []netip.Prefix{loopbackOnly}
	})
	script := &Request{Source: "RequestGet('" + server.URL + "', '', '', r)\nRequestGet('" + server.URL + "', '', '', r)\naddResult(r)"}
	former := e.reach.Load()
	failed := make(chan error, 1)
	go func() {
		_, err := e.Run(t.Context(), script)
		failed <- err
	}()
	<-arrived

	wrong := Adjustment{Limits: Limits{Fuel: 1}, Commands: &commands.Config{ConnectorsFile: "missing.json"}}
	if err := e.Adjust(wrong); err == nil || e.reach.Load() != former || e.bounds.Load().limits.Fuel == 1 {
		t.Errorf("error %v", err)
	}
	if err := e.Adjust(Adjustment{Limits: DefaultLimits, Commands: new(commands.Config)}); err != nil {
		t.Fatal(err)
	}
	leave <- struct{}{}
	failure, ok := errors.AsType[*diag.Failure](<-failed)
	if !ok || failure.Code != diag.Forbidden || failure.Span.Start.Line != 2 {
		t.Errorf("%v; the second request is what the new policy forbids", failure)
	}
	users, now := usersOf(reflect.ValueOf(&former.users).Elem()), usersOf(reflect.ValueOf(&e.reach.Load().users).Elem())
	if users != 0 || now != 1 {
		t.Errorf("the former reach has %d users, the present one %d", users, now)
	}
}

// Limits that were settled before an adjustment hold for the request.
func TestAdjustLimits(t *testing.T) {
	e := newEngine(t, nil, func(c *Config) { c.Compiler = nil })
	if err := e.Adjust(Adjustment{Limits: Limits{Fuel: 1000}, SourceBytes: 20}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Run(t.Context(), &Request{Source: "addVar(x, 1)", Limits: Limits{Fuel: 5000}}); codeOf(err) != diag.BadFieldType {
		t.Errorf("above the maximum: %v", err)
	}
	if _, err := e.Run(t.Context(), &Request{Source: "addVar(x, 1)", Limits: Limits{Fuel: 5000}, MaxLimits: Limits{Fuel: 5000}}); err != nil {
		t.Errorf("settled before: %v", err)
	}
	if _, err := e.Run(t.Context(), &Request{Source: "addVar(x, 1)\naddVar(y, 2)"}); codeOf(err) != diag.SourceTooLarge {
		t.Errorf("a long script: %v", err)
	}
}
