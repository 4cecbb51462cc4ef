package meter

import "github.com/avapd/avapd/internal/wasm"

// plan says what a body's basic blocks cost, by the offset of the instruction
// that begins the block; for a loop, what a turn costs up to its first branch.
type plan struct {
	entry int64
	cost  map[int]int64
	// calls is set when the function calls others.
	calls bool
}

// planner goes through a body once.
type planner struct {
	plan
	// at is where the block at hand is charged, -1 for the function's entry.
	at int
	// pending is set when the next instruction begins a block.
	pending bool
	frames  []planFrame
}

type planFrame struct {
	op wasm.Opcode
	// joined is set when control can come to the end other than by falling out
	// of the block.
	joined bool
}

const atEntry = -1

// start begins a new body, with the memory of the last one.
func (p *planner) start(locals uint32) {
	if p.cost == nil {
		p.cost = map[int]int64{}
	}
	clear(p.cost)
	p.plan = plan{entry: entryPrice + int64(locals/localsPerUnit), cost: p.cost}
	p.at, p.pending, p.frames = atEntry, false, append(p.frames[:0], planFrame{})
}

func (p *planner) add(units int64) {
	if units == 0 {
		return
	}
	if p.at == atEntry {
		p.entry += units
		return
	}
	p.cost[p.at] += units
}

func (p *planner) branch(depth uint32) {
	if i := len(p.frames) - 1 - int(depth); i >= 0 {
		p.frames[i].joined = true
	}
}

// instruction takes the next instruction, whose offset counts from the body's
// start.
func (p *planner) instruction(in *wasm.Instruction) {
	if p.pending {
		p.at, p.pending = in.Offset, false
	}
	p.add(price(in.Op))
	switch in.Op {
	case wasm.OpBlock:
		p.frames = append(p.frames, planFrame{op: in.Op})
	case wasm.OpLoop:
		p.frames = append(p.frames, planFrame{op: in.Op})
		p.at = in.Offset
		p.add(turnPrice)
	case wasm.OpIf:
		p.frames = append(p.frames, planFrame{op: in.Op, joined: true})
		p.pending = true
	case wasm.OpElse, wasm.OpReturn, wasm.OpUnreachable:
		p.pending = true
	case wasm.OpEnd:
		last := p.frames[len(p.frames)-1]
		p.frames = p.frames[:len(p.frames)-1]
		// Behind a loop goes on what fell out of it: branches go to its head.
		p.pending = last.joined && last.op != wasm.OpLoop
	case wasm.OpBr, wasm.OpBrIf:
		p.branch(in.Index)
		p.pending = true
	case wasm.OpBrTable:
		for _, l := range in.Labels {
			p.branch(l)
		}
		p.branch(in.Index)
		p.pending = true
	case wasm.OpCall, wasm.OpCallIndirect:
		p.calls = true
	}
}
