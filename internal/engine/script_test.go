package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/diag"
)

// realEngines makes one engine of each kind with the real compiler.
func realEngines(t *testing.T, change func(*Config)) map[string]*Engine {
	t.Helper()
	engines := make(map[string]*Engine)
	for name, interpreter := range map[string]bool{"compiler": false, "interpreter": true} {
		engines[name] = newEngine(t, nil, func(c *Config) {
			c.Interpreter = interpreter
			if change != nil {
				change(c)
			}
		})
	}
	return engines
}

func TestScripts(t *testing.T) {
	for kind, e := range realEngines(t, nil) {
		for _, test := range []struct {
			script, in, want string
			status           int
		}{
			{"x = 1 + 2.5\naddResult(x)", `{}`, `{"success":true,"result":{"x":3.5},"variables":{"x":3.5},"logs":[]}`, 200},
			{"b = a + 1\nprint(b)", `{"z":[1.0],"a":1}`, `{"success":true,"result":{},"variables":{"z":[1.0],"a":1,"b":2},"logs":[{"command":"print","line":2,"message":"2"}]}`, 200},
			{"_status = 404", `{}`, `{"success":true,"result":{},"variables":{"_status":404},"logs":[]}`, 404},
			{"s = 0\nstartLoop(i, 1, 100000)\ns = s + i\nendLoop()\naddResult(s)", `{"q":null}`, `{"success":true,"result":{"s":5000050000},"variables":{"q":null,"s":5000050000,"i":100000},"logs":[]}`, 200},
			{"a = [1]\na.append(a)\nb = {1: true, true: 2, None: 1e16}", `{}`, `{"success":true,"result":{},"variables":{"a":null,"b":{"1":2,"null":1e+16}},"logs":[]}`, 200},
		} {
			a, err := e.Run(context.Background(), &Request{Source: test.script, Variables: []byte(test.in), EchoVariables: true})
			if err != nil {
				t.Errorf("%s: %q: %v", kind, test.script, err)
				continue
			}
			if string(a.JSON) != test.want || a.Status != test.status {
				t.Errorf("%s: %q:\ngot  %s (%d)\nwant %s", kind, test.script, a.JSON, a.Status, test.want)
			}
		}
	}
}

func TestParametersReachTheScript(t *testing.T) {
	for kind, e := range realEngines(t, nil) {
		a, err := e.Run(context.Background(), &Request{
			Source: "addParam(q, a)\naddParam(b, c)\naddParam(f, d)\naddParam(none, e)\ngetQueryParamList(l)",
			Body:   []byte(`{"script":"x","b":{"k":[1.0]}}`), Query: []Pair{{Name: "q", Value: "5"}, {Name: "q", Value: "6"}},
			Form: []Pair{{Name: "f", Value: "1.5"}}, EchoVariables: true,
		})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if want := `{"a":5,"c":{"k":[1.0]},"d":1.5,"e":null,"l":[{"q":"5"},{"q":"6"}]}`; string(a.Variables) != want {
			t.Errorf("%s:\ngot  %s\nwant %s", kind, a.Variables, want)
		}
	}
}

func TestScriptFailures(t *testing.T) {
	for kind, e := range realEngines(t, nil) {
		for _, test := range []struct {
			script string
			limits Limits
			code   diag.Code
			text   string
			line   int
		}{
			{"a = 1\nb = a / 0", Limits{}, diag.DivisionByZero, "division by zero", 2},
			{"x = nope", Limits{}, diag.UndefinedName, "name 'nope' is not defined", 1},
			{"nosuch(1)", Limits{}, diag.CommandNotFound, "Command not found: nosuch", 1},
			{"raise(\"boom\")", Limits{}, diag.Raised, "boom", 1},
			{"x = 1\nwhile(x > 0)\nx = x + 1\nend()", Limits{Fuel: 100_000}, diag.OutOfFuel, "Script Execution Timeout", 2},
			{"x = 1\nwhile(x > 0)\nx = 1\nend()", Limits{Duration: time.Millisecond}, diag.DeadlineReached, "Script Execution Timeout", 2},
			{"function f(n){\nreturn(f(n + 1))\n}\nx = f(0)", Limits{}, diag.RecursionLimit, "1000 calls", 2},
			{"s = \"x\"\nwhile(True)\ns = s + s\nend()", Limits{}, diag.OutOfMemory, "64 MiB", 3},
			{"l = [0]\nwhile(True)\nl.append(1)\nend()", Limits{MemoryPages: 16}, diag.OutOfMemory, "1 MiB", 3},
			{"a = [1]\na.append(a)\naddResult(a)", Limits{}, diag.BadValue, "", 3},
			{"a = \"x\" * 2000\naddResult(a)", Limits{OutputBytes: 1000}, diag.OutputLimit, "1000 bytes", 2},
		} {
			_, err := e.Run(context.Background(), &Request{Source: test.script, Limits: test.limits})
			failure, ok := err.(*diag.Failure)
			if !ok || failure.Code != test.code || !strings.Contains(failure.Message, test.text) || failure.Span.Start.Line != test.line {
				t.Errorf("%s: %q: got %v (%+v)", kind, test.script, err, failure)
			}
		}
	}
}

// What a script has in its text alone can be more than any execution may have.
func TestDataBeyondAllMemory(t *testing.T) {
	few := func(c *Config) { c.Limits.MemoryPages, c.MaxLimits.MemoryPages = 4, 4 }
	script := fmt.Sprintf("t = %q\naddResult(t)", strings.Repeat("x", 300_000))
	for kind, e := range realEngines(t, few) {
		_, err := e.Run(context.Background(), &Request{Source: script})
		if failure, ok := err.(*diag.Failure); !ok || failure.Code != diag.OutOfMemory || !strings.Contains(failure.Message, "256 KiB") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Errors and limits say through which calls the script got where it ended, also
// after other calls came back.
func TestCallStacks(t *testing.T) {
	for kind, e := range realEngines(t, nil) {
		for _, test := range []struct{ body, want string }{
			{"return(1 / n)", "g:2 f:5 :8"},
			{"while(True)\nn = n\nend()", "g:2 f:7 :10"},
			{"while(True)\nn = [n, h()]\nend()", "g:3 f:7 :10"},
			{"return(sum([i for i in range(99999999)]))", "g:2 f:5 :8"},
		} {
			script := "function g(n){\n" + test.body + "\n}\nfunction f(n){\nx = g(n + h())\nreturn(x)\n}\ny = f(h())\nfunction h(){\nreturn(0)\n}"
			_, err := e.Run(context.Background(), &Request{Source: script, Limits: Limits{MemoryPages: 16, Fuel: 3_000_000}})
			failure, ok := err.(*diag.Failure)
			if !ok {
				t.Errorf("%s: %v", kind, err)
				continue
			}
			var got []string
			for _, frame := range failure.Stack {
				got = append(got, frame.Function+":"+strconv.Itoa(frame.Position.Line))
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%s: %s: got %q, want %q", kind, test.body, got, test.want)
			}
		}
	}
}

func TestStatementLogs(t *testing.T) {
	for kind, e := range realEngines(t, nil) {
		a, err := e.Run(context.Background(), &Request{Source: "x = 1\nprint(x)\ntry()\ny = 1 / 0\nexception(m)\nend()", Logs: true})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		var entries []map[string]any
		if err := json.Unmarshal(a.Logs, &entries); err != nil || len(entries) < 4 {
			t.Fatalf("%s: %s", kind, a.Logs)
		}
		if entries[0]["command"] != "assign" || entries[0]["success"] != true || entries[0]["line"] != 1.0 {
			t.Errorf("%s: first entry of %s", kind, a.Logs)
		}
	}
}

// The same script charges the same on both engines.
func TestFuelIsTheSameOnBothEngines(t *testing.T) {
	used := make(map[int64]bool)
	for _, e := range realEngines(t, nil) {
		a := mustAnswer(t, e, &Request{Source: "l = []\nstartLoop(i, 1, 5000)\nl.append(str(i) + \"x\")\nendLoop()\nl.sort()\nn = len(l)"})
		used[a.Usage.FuelUsed] = true
	}
	if len(used) != 1 {
		t.Errorf("used %v", used)
	}
}

func TestImportsAreNotCached(t *testing.T) {
	e := newEngine(t, nil, nil)
	for _, value := range []string{"1", "2"} {
		load := func(string) ([]byte, error) { return []byte("x = " + value), nil }
		a := mustAnswer(t, e, &Request{Source: "import \"lib\"\naddResult(x)", Load: load})
		if want := `{"x":` + value + `}`; string(a.Result) != want {
			t.Errorf("got %s, want %s", a.Result, want)
		}
	}
}
