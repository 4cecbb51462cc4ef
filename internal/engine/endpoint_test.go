package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
)

// prepare makes a script that is kept for the test.
func prepare(t *testing.T, e *Engine, text string) *Script {
	t.Helper()
	s, findings, err := e.Prepare(t.Context(), "", &Source{File: "app.avap", Text: text})
	if err != nil || s == nil {
		t.Fatal(findings, err)
	}
	t.Cleanup(s.Release)
	return s
}

func TestEndpoints(t *testing.T) {
	const ways = `
rates = {"ES": 1.21}
count = 0
function first(){
    addVar(trace, "first")
    count = count + 1
}
function second(a, b){
    addVar(trace, trace + " second")
    addVar(missing, [a, b])
}
function deny(){
    _status = 403
    addVar(reason, "no")
    addResult(reason)
}
function denyLater(){
    _status = "450.0"
}
function oddStatus(){
    _status = True
}
function fails(){
    x = 1 / 0
}
function show(){
    addParam(id, id)
    addResult(id)
    addResult(trace)
    addResult(rates)
}
function output(){
    addVar(out, {"n": [1, 2.0]})
    _status = 201
}
function nothing(){
}
function local(){
    out = 5
}
function cyclic(){
    l = []
    l.append(l)
    addVar(out, l)
}
registerEndpoint("/0/{id}", "GET", [first, second], "", show, out)
registerEndpoint("/1", "GET", [deny, fails], "", show, out)
registerEndpoint("/2", "GET", [denyLater, fails], "", fails, out)
registerEndpoint("/3", "GET", oddStatus, "", output, out)
registerEndpoint("/4", "GET", [], "", nothing, out)
registerEndpoint("/5", "GET", [], "", nothing, out)
registerEndpoint("/6", "GET", [], "", local, out)
registerEndpoint("/7", "GET", [], "", cyclic, out)
registerEndpoint("/8", "GET", [fails], "", show, out)
registerEndpoint("/9", "GET", [], "", show, unmentioned)
addVar(top, 1)
`
	for kind, e := range realEngines(t, nil) {
		s := prepare(t, e, ways)
		for _, test := range []struct {
			index  int
			path   []Pair
			query  []Pair
			status int
			want   string // the answer, or with status 0 the message of the failure
		}{
			{0, []Pair{{Name: "id", Value: "7"}}, nil, 200, `{"id":7,"trace":"first second","rates":{"ES":1.21}}`},
			{0, []Pair{{Name: "id", Value: "a b"}}, []Pair{{Name: "id", Value: "query"}}, 200, `{"id":"a b","trace":"first second","rates":{"ES":1.21}}`},
			{1, nil, nil, 403, `{"reason":"no"}`},
			{2, nil, nil, 450, `{}`},
			{3, nil, nil, 201, `{"n":[1,2.0]}`},
			{4, nil, nil, 200, `{}`},
			{5, nil, nil, 200, `{}`},
			{6, nil, nil, 200, `{}`},
			{7, nil, nil, 0, "a result contains itself"},
			{8, nil, nil, 0, "division by zero"},
			{9, nil, []Pair{{Name: "id", Value: "q"}}, 200, `{"id":"q","trace":null,"rates":{"ES":1.21}}`},
		} {
			a, err := s.Endpoint(t.Context(), test.index, &Request{Path: test.path, Query: test.query, EchoVariables: true, Variables: []byte("[")})
			if failure, ok := err.(*diag.Failure); ok {
				if test.status != 0 || failure.Message != test.want {
					t.Errorf("%s: %d: %v", kind, test.index, err)
				}
				continue
			}
			if err != nil || a.Status != test.status || string(a.JSON) != test.want {
				t.Errorf("%s: %d: got %d %s (%v), want %d %s", kind, test.index, a.Status, a.JSON, err, test.status, test.want)
			}
		}
	}
}

// The call stack of an error in a handler ends where the endpoint is
// registered.
func TestEndpointStack(t *testing.T) {
	for kind, e := range realEngines(t, nil) {
		s := prepare(t, e, "function inner(){\n    x = 1 / 0\n}\nfunction show(){\n    inner()\n}\nregisterEndpoint(\"/\", \"GET\", [], \"\", show, out)")
		_, err := s.Endpoint(t.Context(), 0, &Request{})
		failure, ok := err.(*diag.Failure)
		if !ok {
			t.Fatalf("%s: %v", kind, err)
		}
		var got []string
		for _, f := range failure.Stack {
			got = append(got, f.Function+" "+f.Position.String())
		}
		if want := "inner app.avap:2:5, show app.avap:5:5,  app.avap:7:1"; strings.Join(got, ", ") != want {
			t.Errorf("%s: got %s", kind, strings.Join(got, ", "))
		}
	}
}

// The top level runs first: what it raises or where it stops ends the request
// or leads on to the handler.
func TestEndpointTopLevel(t *testing.T) {
	const handler = "function show(){\n    addResult(x)\n}\nregisterEndpoint(\"/\", \"GET\", [], \"\", show, out)\nx = 1\n"
	for kind, e := range realEngines(t, nil) {
		a, err := prepare(t, e, handler+"return(5)\nx = 2").Endpoint(t.Context(), 0, &Request{})
		if err != nil || string(a.JSON) != `{"x":1}` {
			t.Errorf("%s: %v %v", kind, a, err)
		}
		_, err = prepare(t, e, handler+"raise(\"closed\")").Endpoint(t.Context(), 0, &Request{})
		if err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s: %v", kind, err)
		}
		a, err = prepare(t, e, handler+"_status = 500").Endpoint(t.Context(), 0, &Request{})
		if err != nil || a.Status != 500 || string(a.JSON) != `{"x":1}` {
			t.Errorf("%s: %v %v", kind, a, err)
		}
	}
}

// All parts of a request spend the same fuel and time.
func TestEndpointLimits(t *testing.T) {
	const spin = "function spin(){\n    startLoop(i, 1, 600)\n    endLoop()\n}\nfunction deep(){\n    deep()\n}\n" +
		"function endless(){\n    while(true)\n    end()\n}\n" +
		"registerEndpoint(\"/\", \"GET\", [spin], \"\", spin, out)\nregisterEndpoint(\"/d\", \"GET\", [], \"\", deep, out)\nregisterEndpoint(\"/e\", \"GET\", [], \"\", endless, out)"
	for kind, e := range realEngines(t, nil) {
		s := prepare(t, e, spin)
		for index, test := range []struct {
			limits Limits
			code   diag.Code
		}{
			{Limits{Fuel: 1000}, diag.OutOfFuel},
			{Limits{CallDepth: 50}, diag.RecursionLimit},
			{Limits{Duration: 20 * time.Millisecond, Fuel: 1 << 29}, diag.DeadlineReached},
		} {
			_, err := s.Endpoint(t.Context(), index, &Request{Limits: test.limits})
			if failure, ok := err.(*diag.Failure); !ok || failure.Code != test.code {
				t.Errorf("%s: %d: %v", kind, index, err)
			}
		}
		if _, err := s.Endpoint(t.Context(), 0, &Request{Limits: Limits{Fuel: 5000}}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// A script that is replaced lives as long as someone holds it.
func TestScriptReferences(t *testing.T) {
	e := newEngine(t, nil, func(c *Config) { c.Compiler = nil })
	s, _, err := e.Prepare(t.Context(), "", &Source{Text: "function f(){\n}\nregisterEndpoint(\"/\", \"GET\", [], \"\", f, out)"})
	if err != nil || !s.Acquire() {
		t.Fatal(err)
	}
	s.Release()
	if _, err := s.Endpoint(context.Background(), 0, &Request{}); err != nil {
		t.Error(err)
	}
	s.Release()
	if s.Acquire() {
		t.Error("a released script can be acquired")
	}
	for _, text := range []string{"", "x = (", strings.Repeat(" ", DefaultSourceBytes+1)} {
		if s, findings, err := e.Prepare(t.Context(), "", &Source{Text: text}); s != nil || !findings.HasErrors() && err == nil {
			t.Errorf("%.5q gives a script", text)
		}
	}
}
