package spectest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// ErrSkip is what a Transform returns for a module that is out of its reach;
// the commands that need the module are skipped.
var ErrSkip = errors.New("module is skipped")

// Options say how scripts are run. All but Config may be left out.
type Options struct {
	Config wazero.RuntimeConfig
	// Transform changes each module before wazero gets it.
	Transform func(module []byte) ([]byte, error)
	// Prepare adds to a new runtime what transformed modules import.
	Prepare func(ctx context.Context, r wazero.Runtime) error
	// Before sees a module before one of its functions is called.
	Before func(m api.Module)
	// Exhausted recognises the end of a recursion without end; by default it is
	// wazero's overflow of the stack.
	Exhausted func(err error) bool
}

// Count says how many commands were run and how many were not.
type Count struct{ Run, Skipped int }

// Add adds the counts of another script.
func (c *Count) Add(d Count) {
	c.Run += d.Run
	c.Skipped += d.Skipped
}

// run is a script that is being run.
type run struct {
	script  *Script
	options Options
	runtime wazero.Runtime
	modules map[string]api.Module
	last    api.Module // nil when the last module was skipped
	count   Count
}

// Run runs the commands of a script in a runtime of its own, in order, and
// reports each one that does not end as the script says. Modules that must be
// refused before they are linked are not its subject.
func (s *Script) Run(t testing.TB, o Options) Count {
	t.Helper()
	ctx := t.Context()
	r := &run{script: s, options: o, runtime: wazero.NewRuntimeWithConfig(ctx, o.Config), modules: map[string]api.Module{}}
	// At the end there is nothing left to lose by closing.
	defer func() { _ = r.runtime.Close(context.WithoutCancel(ctx)) }()
	if _, err := r.runtime.InstantiateWithConfig(ctx, hostModule(t), wazero.NewModuleConfig().WithName("spectest")); err != nil {
		t.Fatal(err)
	}
	if o.Prepare != nil {
		if err := o.Prepare(ctx, r.runtime); err != nil {
			t.Fatal(err)
		}
	}
	for i := range s.Commands {
		c := &s.Commands[i]
		switch err := r.command(t, i); {
		case errors.Is(err, ErrSkip):
			r.count.Skipped++
		case err != nil:
			t.Errorf("%s.wast:%d: %s: %v", s.Name, c.Line, c.Type, err)
		default:
			r.count.Run++
		}
	}
	return r.count
}

func (r *run) command(t testing.TB, i int) error {
	t.Helper()
	ctx, c := t.Context(), &r.script.Commands[i]
	switch c.Type {
	case Module:
		return r.module(t, i)
	case Register:
		return nil // the module was given the name when it was made
	case Act, Returns:
		return r.returns(ctx, c)
	case Traps, Exhausts:
		return r.traps(ctx, c)
	case Unlinkable, Uninstantiable:
		_, err := r.instantiate(t, c, "")
		switch {
		case errors.Is(err, ErrSkip):
			return err
		case c.Text == "out of bounds table access":
			return err // wazero lets such a module live, and says so in its own tests
		case err == nil:
			return errors.New("instantiated")
		}
		return nil
	}
	return ErrSkip
}

// module makes a module, under the name as which the script registers it next.
func (r *run) module(t testing.TB, i int) error {
	t.Helper()
	c := &r.script.Commands[i]
	as := ""
	if next := i + 1; next < len(r.script.Commands) && r.script.Commands[next].Type == Register {
		as = r.script.Commands[next].As
	}
	m, err := r.instantiate(t, c, as)
	r.last = m
	if c.Name != "" {
		r.modules[c.Name] = m
	}
	return err
}

func (r *run) instantiate(t testing.TB, c *Command, as string) (api.Module, error) {
	t.Helper()
	if !c.IsBinary() {
		return nil, ErrSkip
	}
	b := r.script.Binary(t, c)
	if r.options.Transform != nil {
		var err error
		if b, err = r.options.Transform(b); err != nil {
			return nil, err
		}
	}
	m, err := r.runtime.InstantiateWithConfig(t.Context(), b, wazero.NewModuleConfig().WithName(as))
	if err != nil {
		return nil, err // and not a nil pointer in an interface
	}
	return m, nil
}

// call does what an action says.
func (r *run) call(ctx context.Context, a *Action) ([]uint64, error) {
	m := r.last
	if a.Module != "" {
		m = r.modules[a.Module]
	}
	if m == nil {
		return nil, ErrSkip
	}
	if a.Type == "get" {
		g := m.ExportedGlobal(a.Field)
		if g == nil {
			return nil, fmt.Errorf("no global %q", a.Field)
		}
		return []uint64{g.Get()}, nil
	}
	if r.options.Before != nil {
		r.options.Before(m)
	}
	f := m.ExportedFunction(a.Field)
	if f == nil {
		return nil, fmt.Errorf("no function %q", a.Field)
	}
	args := make([]uint64, len(a.Args))
	for i := range args {
		bits, err := a.Args[i].bits()
		if err != nil {
			return nil, err
		}
		args[i] = bits
	}
	return f.Call(ctx, args...)
}

func (r *run) returns(ctx context.Context, c *Command) error {
	got, err := r.call(ctx, &c.Action)
	if err != nil {
		return err
	}
	if len(got) != len(c.Expected) {
		return fmt.Errorf("%s: %d results, want %d", c.Action.Field, len(got), len(c.Expected))
	}
	for i := range got {
		if c.Type == Returns && !c.Expected[i].matches(got[i]) {
			return fmt.Errorf("%s: result %d is %#x, want %s %v", c.Action.Field, i, got[i], c.Expected[i].Type, c.Expected[i].Raw)
		}
	}
	return nil
}

func (r *run) traps(ctx context.Context, c *Command) error {
	_, err := r.call(ctx, &c.Action)
	switch {
	case err == nil:
		return fmt.Errorf("%s: no trap, want %s", c.Action.Field, c.Text)
	case errors.Is(err, ErrSkip):
		return err
	case c.Type == Exhausts && r.options.Exhausted != nil && r.options.Exhausted(err):
		return nil
	case !strings.HasPrefix(strings.TrimPrefix(err.Error(), "wasm error: "), engineMessage(c.Text)):
		return fmt.Errorf("%s: %w, want %s", c.Action.Field, err, c.Text)
	}
	return nil
}

// engineMessage gives wazero's words for a trap.
func engineMessage(text string) string {
	switch {
	case text == "call stack exhausted":
		return "stack overflow"
	case strings.HasPrefix(text, "uninitialized element"), text == "undefined element", text == "out of bounds table access":
		return "invalid table access"
	}
	return text
}
