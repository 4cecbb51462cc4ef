package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/avapd/avapd/runtime/abi"
)

// Input is what a request brings to its execution. All of it may be empty. The
// JSON texts are read in place, once.
type Input struct {
	// Client is who the execution counts for; turns are shared out among
	// clients.
	Client string
	// Idle makes the execution compute only while no client waits. It counts for
	// nobody.
	Idle bool
	// HashSeed is that of dicts; 0 draws one.
	HashSeed uint64
	// Variables is a JSON object.
	Variables []byte
	// Body is the request's JSON object; its members script and variables are
	// no parameters.
	Body []byte
	// Path are the parameters in the path of an endpoint, Query and Form those
	// of the request, in the order of their arrival.
	Path, Query, Form []Pair
	// EchoVariables asks for the variables in the answer.
	EchoVariables bool
	// Registered runs the commands that are not built in; nil when there are
	// none.
	Registered Registered
	// Endpoint is the number, counted from 1, of the endpoint to answer: the
	// answer is its alone. With 0 the script is executed.
	Endpoint int
}

// Pair is a name and a text of a query string or form.
type Pair struct{ Name, Value string }

// requestVariable is a variable that the request brought, in its order.
type requestVariable struct {
	// global is the script's number for it, or -1 when the script does not
	// know the name.
	global      int32
	name, value cell
}

// badInput says which part of the request is wrong.
type badInput struct {
	part string
	err  error
}

func (e *badInput) Error() string { return e.part + ": " + e.err.Error() }
func (e *badInput) Unwrap() error { return e.err }

// seed fills the control block and puts the inputs into guest memory.
func (e *execution) seed(in *Input) error {
	stackEnd := e.stackEnd()
	b := &e.builder
	b.start(e.slot, e.pair.library.Memory(), uint64(stackEnd))
	if err := b.reserve(uint64(stackEnd)); err != nil {
		return err
	}
	if err := e.seedVariables(in); err != nil {
		return err
	}
	if err := e.seedParameters(in); err != nil {
		return err
	}
	return e.blank()
}

// blank finishes what every run starts with.
func (e *execution) blank() error {
	m, b := &e.module.Manifest, &e.builder
	stackEnd := e.stackEnd()
	results, err := b.dict(nil)
	if err != nil {
		return err
	}
	logs, err := b.list(nil)
	if err != nil {
		return err
	}
	top, err := b.heapTop()
	if err != nil {
		return err
	}
	b.mem.putCell(abi.Results, results)
	b.mem.putCell(abi.Logs, logs)
	b.mem.put32(abi.HeapTop, top)
	b.mem.put32(abi.HeapEnd, uint32(len(b.mem)))
	b.mem.put32(abi.StackBase, stackBase(m))
	b.mem.put32(abi.StackLimit, stackEnd)
	b.mem.put32(abi.Frame, stackBase(m))
	if e.hashSeed == 0 {
		e.hashSeed = e.host.config.HashSeed()
	}
	b.mem.put64(abi.HashSeed, e.hashSeed)
	if g := e.module.lastErrorGlobal; g >= 0 {
		b.mem.put32(abi.LastError, globalCell(g))
	}
	return nil
}

// stackBase is where the call stack starts, which the heap follows.
func stackBase(m *abi.Manifest) uint32 { return (m.DataEnd + 15) &^ 15 }

// stackEnd is where the call stack ends.
func (e *execution) stackEnd() uint32 {
	return stackBase(&e.module.Manifest) + 4*(e.limits.CallDepth-e.callsAbove+1)
}

// heapTop is the first free byte, aligned.
func (b *builder) heapTop() (uint32, error) {
	top := (b.top + 15) &^ 15
	return uint32(top), b.reserve(top)
}

func globalCell(i int) uint32 { return abi.ScriptBase + uint32(i)*abi.CellSize }

// seedVariables writes the request's variables: those that the script names
// into its global cells, the others beside the heap so that the answer can
// show them.
func (e *execution) seedVariables(in *Input) error {
	if isNothing(in.Variables) {
		return nil
	}
	b := &e.builder
	var wanted func([]byte) bool
	if !in.EchoVariables {
		wanted = e.knowsVariable
	}
	pairs, err := b.object(in.Variables, wanted)
	if err != nil {
		return inputError("variables", err)
	}
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		v := requestVariable{global: -1, name: name, value: value}
		text, _ := b.mem.bytes(name.bits&0xffffffff, name.bits>>32)
		if g, ok := e.module.globals[string(text)]; ok {
			v.global = int32(g)
			b.mem.putCell(globalCell(g), value)
		}
		e.request = append(e.request, v)
	}
	b.scratch = b.scratch[:0]
	return nil
}

// knowsVariable selects the variables that matter when none are echoed.
func (e *execution) knowsVariable(name []byte) bool {
	_, ok := e.module.globals[string(name)]
	return ok || string(name) == statusName
}

// seedParameters writes what addParam and its like can read, if they can.
func (e *execution) seedParameters(in *Input) error {
	needs := e.module.Manifest.Needs
	if needs.Body {
		if err := e.seedBody(in.Body); err != nil {
			return err
		}
	}
	if needs.Path && len(in.Path) > 0 {
		if err := e.seedPairs(abi.Path, in.Path); err != nil {
			return err
		}
	}
	if needs.Query {
		if err := e.seedPairs(abi.Query, in.Query); err != nil {
			return err
		}
	}
	if needs.Form {
		return e.seedPairs(abi.Form, in.Form)
	}
	return nil
}

func (e *execution) seedBody(raw []byte) error {
	b := &e.builder
	var pairs []cell
	if !isNothing(raw) {
		var err error
		if pairs, err = b.object(raw, isParameter); err != nil {
			return inputError("body", err)
		}
	}
	body, err := b.dict(pairs)
	b.scratch = b.scratch[:0]
	if err == nil {
		b.mem.putCell(abi.Body, body)
	}
	return err
}

func isParameter(name []byte) bool {
	return string(name) != "script" && string(name) != "variables"
}

// isNothing reports whether a raw JSON input was left out.
func isNothing(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

// seedPairs writes pairs as a list of [name, text].
func (e *execution) seedPairs(at uint32, pairs []Pair) error {
	b := &e.builder
	for _, p := range pairs {
		pair, err := b.pair(p)
		if err != nil {
			return err
		}
		b.scratch = append(b.scratch, pair)
	}
	list, err := b.list(b.scratch)
	b.scratch = b.scratch[:0]
	if err == nil {
		b.mem.putCell(at, list)
	}
	return err
}

func (b *builder) pair(p Pair) (cell, error) {
	name, err := b.clean(p.Name)
	if err != nil {
		return cell{}, err
	}
	value, err := b.clean(p.Value)
	if err != nil {
		return cell{}, err
	}
	items := [2]cell{name, value}
	return b.list(items[:])
}

// clean writes a text that need not be UTF-8: what is not becomes the
// replacement character.
func (b *builder) clean(s string) (cell, error) {
	return b.text(strings.ToValidUTF8(s, "\uFFFD"))
}

// inputError keeps limits apart from mistakes in the request.
func inputError(part string, err error) error {
	if errors.Is(err, errInputMemory) {
		return err
	}
	return &badInput{part, fmt.Errorf("%w", err)}
}
