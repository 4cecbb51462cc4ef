package meter

import (
	"slices"

	"github.com/avapd/avapd/internal/wasm"
)

// writer writes bodies, one after the other.
type writer struct {
	code
	planner planner
	reader  wasm.CodeReader
	number  uint32 // of the function among those that are defined
	old     *wasm.Body
	typ     wasm.FuncType

	locals []wasm.LocalRun
	// left is an added local: the fuel that is left.
	left uint32
	// levels is what the function counts in the depth of calls; 0 for one that
	// calls nobody.
	levels int32
	frames []frame
	// open is the number of labels that are open in the new body.
	open uint32
	// last is the instruction before the one at hand, nops left out.
	last wasm.Opcode
}

// frame is an open block of the old body. A branch to it goes to the label at
// place, counted from the outermost one of the new body.
type frame struct {
	place uint32
	// shaped marks a loop that is left to ask for fuel, and turn is the price
	// that its head takes.
	shaped bool
	turn   int64
}

// start makes ready for a function.
func (w *writer) start(m *injector, number uint32) {
	w.m, w.number, w.old = m, number, &m.in.Bodies[number]
	w.typ = m.in.Types[m.in.Funcs[number]]
	w.out = make([]byte, 0, 2*len(w.old.Code)+64)
	w.frames, w.open, w.last = w.frames[:0], 0, 0
}

// body writes the function.
func (w *writer) body() error {
	declared := uint32(0)
	for _, run := range w.old.Locals {
		declared += run.Count
	}
	if declared+1 > uint32(wasm.MaxBounds.Locals) {
		return refuse(wasm.TooLarge, w.old.Offset, "function %d has too many locals to be metered", w.m.imported+w.number)
	}
	w.planner.start(declared)
	w.reader.Reset(w.old.Code, 0)
	for in, ok := w.reader.Next(); ok; in, ok = w.reader.Next() {
		w.planner.instruction(&in)
	}
	if err := w.reader.Err(); err != nil {
		return err
	}
	w.addLocals(declared)
	w.enter()
	w.reader.Reset(w.old.Code, 0)
	for in, ok := w.reader.Next(); ok; in, ok = w.reader.Next() {
		w.instruction(&in, w.old.Code[in.Offset:w.reader.Offset()])
	}
	return w.reader.Err()
}

func (w *writer) addLocals(declared uint32) {
	w.left = uint32(len(w.typ.Params)) + declared
	w.locals = append(slices.Clip(w.old.Locals), wasm.LocalRun{Count: 1, Type: wasm.I64})
	w.levels = 0
	if w.planner.calls {
		w.levels = levels(uint32(len(w.typ.Params)) + declared)
	}
}

// enter writes what a call begins with. A function that counts itself has its
// body in a block, which every return goes through.
func (w *writer) enter() {
	if w.levels > 0 {
		w.countDepth(w.levels)
	}
	w.take(w.planner.entry, w.left)
	w.refillIf()
	w.open = 1
	if w.levels > 0 {
		w.op(wasm.OpBlock)
		w.resultType()
		w.open = 2
	}
	w.frames = append(w.frames, frame{place: w.open - 1})
}

// resultType writes the type of a block that yields the function's results.
func (w *writer) resultType() {
	switch len(w.typ.Results) {
	case 0:
		w.op(blockVoid)
	case 1:
		w.out = append(w.out, byte(w.typ.Results[0]))
	default:
		w.out = wasm.AppendSleb(w.out, int64(w.m.typeIndex(wasm.FuncType{Results: w.typ.Results})))
	}
}

// instruction writes an instruction and, before it, the price of the block
// that it begins.
func (w *writer) instruction(in *wasm.Instruction, raw []byte) {
	if zero, or, needed := wasm.Opaque(w.last, in.Op); needed {
		w.out = append(w.out, byte(zero), 0, byte(or))
	}
	if in.Op != wasm.OpNop {
		w.last = in.Op
	}
	if in.Op != wasm.OpLoop {
		w.charge(w.planner.cost[in.Offset])
	}
	if shift, ok := operandPrice[in.Op]; ok {
		w.index(wasm.OpCall, w.m.payer(shift))
	}
	switch in.Op {
	case wasm.OpLoop:
		w.loop(in, raw)
	case wasm.OpBlock, wasm.OpIf:
		w.out = append(w.out, raw...)
		w.push(frame{})
	case wasm.OpEnd:
		w.end()
	case wasm.OpBr, wasm.OpBrIf:
		w.index(in.Op, w.label(in.Index))
	case wasm.OpBrTable:
		w.op(in.Op)
		w.out = wasm.AppendUleb(w.out, uint64(len(in.Labels)))
		for _, l := range in.Labels {
			w.out = wasm.AppendUleb(w.out, uint64(w.label(l)))
		}
		w.out = wasm.AppendUleb(w.out, uint64(w.label(in.Index)))
	case wasm.OpReturn:
		if w.levels == 0 {
			w.op(in.Op)
			return
		}
		w.index(wasm.OpBr, w.open-1-w.frames[0].place)
	default:
		w.out = w.m.renumber.AppendInstruction(w.out, in, raw)
	}
}

// push opens a block whose label is the innermost one.
func (w *writer) push(f frame) {
	f.place = w.open
	w.open++
	w.frames = append(w.frames, f)
}

// label gives a branch its new distance.
func (w *writer) label(depth uint32) uint32 {
	return w.open - 1 - w.frames[len(w.frames)-1-int(depth)].place
}

// loop writes a loop's head. When the fuel is used up, control leaves for a
// place outside of the loop proper, as in our own code:
//
//	block $end
//	  loop $again
//	    block $empty
//	      loop $head
//	        fuel -= turn; br_if $empty (fuel < 0)
//	        ...
//	      end
//	      br $end
//	    end
//	    fuel += turn; call refill
//	    br $again
//	  end
//	end
//
// A loop with parameters has them on the stack where it begins, and asks for
// fuel on the spot.
func (w *writer) loop(in *wasm.Instruction, raw []byte) {
	turn := w.planner.cost[in.Offset]
	if in.Block.HasIndex && len(w.m.in.Types[in.Block.Index].Params) > 0 {
		w.out = append(w.out, raw...)
		w.push(frame{})
		w.take(turn, w.left)
		w.refillIf()
		return
	}
	typ := raw[1:]
	w.op(wasm.OpBlock)
	w.out = append(w.out, typ...)
	w.op(wasm.OpLoop)
	w.out = append(w.out, typ...)
	w.op(wasm.OpBlock, blockVoid)
	w.open += 3
	w.out = append(w.out, raw...)
	w.push(frame{shaped: true, turn: turn})
	w.take(turn, w.left)
	w.index(wasm.OpBrIf, 1)
}

// end closes the innermost block.
func (w *writer) end() {
	last := w.frames[len(w.frames)-1]
	w.frames = w.frames[:len(w.frames)-1]
	w.op(wasm.OpEnd)
	w.open--
	if last.shaped {
		w.index(wasm.OpBr, 2)
		w.op(wasm.OpEnd)
		w.change(last.turn, wasm.OpI64Add)
		w.index(wasm.OpCall, w.m.refill)
		w.index(wasm.OpBr, 0)
		w.op(wasm.OpEnd, wasm.OpEnd)
		w.open -= 3
	}
	if len(w.frames) == 0 && w.levels > 0 {
		w.giveDepth(w.levels)
		w.op(wasm.OpEnd)
	}
}
