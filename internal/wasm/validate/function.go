package validate

import (
	"errors"
	"slices"

	"github.com/avapd/avapd/internal/wasm"
)

// unknown is the type of a value in code that is never reached: it is whatever
// is wanted.
const unknown wasm.ValType = 0

// frame is an open block. Params and results are its type's.
type frame struct {
	op              wasm.Opcode
	params, results []wasm.ValType
	height          int // of the operand stack at its start, params not counted
	unreachable     bool
}

// label gives the types of a branch to the block.
func (fr *frame) label() []wasm.ValType {
	if fr.op == wasm.OpLoop {
		return fr.params
	}
	return fr.results
}

// run is a number of locals of one type, up to but not including end.
type run struct {
	end uint32
	typ wasm.ValType
}

// function checks bodies, one after the other.
type function struct {
	m      *module
	reader wasm.CodeReader
	stack  []wasm.ValType
	frames []frame

	index    uint32
	params   []wasm.ValType
	runs     []run
	locals   uint32 // with parameters
	branches int
	calls    int
	at       int // offset of the instruction
	err      *wasm.Error
}

// check checks the body of a function.
func (f *function) check(index uint32, body *wasm.Body) error {
	t := &f.m.Types[f.m.funcs[index]]
	f.index, f.params, f.branches, f.calls = index, t.Params, 0, 0
	f.runs = f.runs[:0]
	f.locals = uint32(len(t.Params))
	for _, r := range body.Locals {
		f.locals += r.Count
		f.runs = append(f.runs, run{f.locals, r.Type})
	}
	f.stack = f.stack[:0]
	f.frames = append(f.frames[:0], frame{op: wasm.OpCall, results: t.Results})
	f.reader.Reset(body.Code, body.Offset)
	for {
		in, ok := f.reader.Next()
		if !ok {
			break
		}
		f.at = in.Offset
		if len(f.frames) == 0 {
			return refuse(wasm.Malformed, f.at, "function %d: code behind its end", index)
		}
		f.instruction(&in)
		if f.err != nil {
			return f.err
		}
	}
	if err := f.reader.Err(); err != nil {
		return f.broken(err)
	}
	if len(f.frames) > 0 {
		return refuse(wasm.Malformed, body.Offset+len(body.Code), "function %d: %d blocks are open at its end", index, len(f.frames))
	}
	f.account(body)
	if f.err != nil {
		return f.err
	}
	return nil
}

// broken says in which function the reader failed.
func (f *function) broken(err error) error {
	if refused, ok := errors.AsType[*wasm.Error](err); ok {
		return refuse(refused.Reason, refused.Offset, "function %d: %s", f.index, refused.Message)
	}
	return err
}

// account adds what compiling the function may cost to that of the module. The
// terms are what the engine takes in the worst case, in units of some 75 ns:
// each basic block may be visited for every other one and merge every local;
// every local may be live together with every other one; and every call loads
// the mutable globals again.
func (f *function) account(body *wasm.Body) {
	branches, locals := int64(f.branches), int64(f.locals)
	f.m.work += branches*(4*branches+32*locals) + locals*locals + 64*int64(f.calls)*int64(f.m.mutable)
	if f.m.work > int64(f.m.limits.CompileWork) {
		f.at = body.Offset
		f.refuse(wasm.TooLarge, "the module is too much work to compile: the functions so far add up to %d units, at most %d are allowed",
			f.m.work, f.m.limits.CompileWork)
	}
}

func (f *function) invalid(format string, args ...any) { f.refuse(wasm.Invalid, format, args...) }

// refuse notes the first error.
func (f *function) refuse(reason wasm.Reason, format string, args ...any) {
	if f.err == nil {
		f.err = refuse(reason, f.at, "function %d: "+format, append([]any{f.index}, args...)...)
	}
}

// pop takes a value of a type off the stack, or of any type if unknown is
// wanted, and gives its type.
func (f *function) pop(want wasm.ValType) wasm.ValType {
	fr := &f.frames[len(f.frames)-1]
	top := len(f.stack) - 1
	if top < fr.height {
		if !fr.unreachable {
			f.invalid("a value is missing")
		}
		return want
	}
	got := f.stack[top]
	f.stack = f.stack[:top]
	if got != want && got != unknown && want != unknown {
		f.invalid("%s wanted, got %s", want, got)
	}
	return got
}

func (f *function) push(t wasm.ValType) {
	if len(f.stack) >= f.m.limits.StackHeight {
		f.refuse(wasm.TooLarge, "more than %d operands", f.m.limits.StackHeight)
		return
	}
	f.stack = append(f.stack, t)
}

func (f *function) popAll(ts []wasm.ValType) {
	for _, t := range slices.Backward(ts) {
		f.pop(t)
	}
}

func (f *function) pushAll(ts []wasm.ValType) {
	for _, t := range ts {
		f.push(t)
	}
}

// open opens a block, whose parameters are taken off the stack and put back.
func (f *function) open(op wasm.Opcode, params, results []wasm.ValType) {
	if len(f.frames) > f.m.limits.Nesting {
		f.refuse(wasm.TooLarge, "blocks nested more than %d deep", f.m.limits.Nesting)
		return
	}
	f.popAll(params)
	f.frames = append(f.frames, frame{op: op, params: params, results: results, height: len(f.stack)})
	f.pushAll(params)
}

// leave closes the innermost block and checks what it leaves on the stack.
func (f *function) leave() frame {
	fr := f.frames[len(f.frames)-1]
	f.popAll(fr.results)
	if f.err == nil && len(f.stack) != fr.height {
		f.invalid("%d values are left at the end of the block", len(f.stack)-fr.height)
	}
	f.frames = f.frames[:len(f.frames)-1]
	return fr
}

// never says that what follows in the block is not reached.
func (f *function) never() {
	fr := &f.frames[len(f.frames)-1]
	f.stack = f.stack[:fr.height]
	fr.unreachable = true
}

// target gives the types of the label that a branch names.
func (f *function) target(label uint32) []wasm.ValType {
	if int64(label) >= int64(len(f.frames)) {
		f.invalid("label %d does not exist", label)
		return nil
	}
	return f.frames[len(f.frames)-1-int(label)].label()
}

// branch counts instructions at which a basic block ends.
func (f *function) branch(n int) {
	if f.branches += n; f.branches > f.m.limits.Branches {
		f.refuse(wasm.TooLarge, "more than %d branches", f.m.limits.Branches)
	}
}

// local gives the type of a local.
func (f *function) local(index uint32) wasm.ValType {
	switch {
	case index < uint32(len(f.params)):
		return f.params[index]
	case index >= f.locals:
		f.invalid("local %d does not exist", index)
		return unknown
	}
	low, high := 0, len(f.runs)-1
	for low < high {
		if middle := (low + high) / 2; index < f.runs[middle].end {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return f.runs[low].typ
}
