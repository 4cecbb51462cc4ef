package guestgo

import (
	"go/ast"
	"go/types"

	"github.com/avapd/avapd/internal/wasm"
)

// Fuel is charged at loop heads. A turn costs one unit and one more for every
// nodesPerUnit syntax nodes of the body, up to a bound; inner loops pay for
// themselves.
const (
	nodesPerUnit   = 48
	maxTurnUnits   = 8
	siteFromMemory = 0
)

// hostPrice is what a call of a host function costs, in units of about a
// nanosecond: something for the call and, where the work grows with a length,
// unitsPerByte times the parameter of that number. Without it a loop over a
// huge text would do seconds of work in one slice.
type hostPrice struct {
	units        int64
	lengthParam  int
	unitsPerByte int64
}

// hostPrices covers abi.LibraryImports except refuel; a test holds it
// complete.
var hostPrices = map[string]hostPrice{
	"float_digits":  {units: 256},
	"float_parse":   {units: 32, lengthParam: 1, unitsPerByte: 1},
	"unicode_case":  {units: 64, lengthParam: 2, unitsPerByte: 8},
	"unicode_class": {units: 16},
	"digest":        {units: 256, lengthParam: 2, unitsPerByte: 3},
	// The guest charges for compiling and searching, which no length tells.
	"regex_group": {units: 256, lengthParam: 2, unitsPerByte: 1},
	"regex_find":  {units: 256, lengthParam: 2, unitsPerByte: 1},
	"time_format": {units: 512, lengthParam: 4, unitsPerByte: 32},
	"time_parse":  {units: 4096, lengthParam: 3, unitsPerByte: 128},
}

// hostCall writes a call of a host function and takes its price.
func (g *gen) hostCall(fn *types.Func, args []ast.Expr) {
	price := hostPrices[g.hosts[fn].Field]
	if g.compiler.unmetered {
		price = hostPrice{}
	}
	var length wasm.Local
	for i, a := range args {
		g.expr(a)
		if price.unitsPerByte > 0 && i == price.lengthParam {
			length = g.f.Temp(wasm.I32)
			g.set(length)
			g.get(length)
		}
	}
	f := g.out()
	f.Call(g.function(fn))
	if price.units == 0 {
		return
	}
	f.GlobalGet(g.fuel)
	f.I64Const(price.units)
	f.Op(wasm.OpI64Sub)
	if price.unitsPerByte > 0 {
		f.LocalGet(length)
		f.Op(wasm.OpI64ExtendI32U)
		f.I64Const(price.unitsPerByte)
		f.Op(wasm.OpI64Mul, wasm.OpI64Sub)
		f.Release(length)
	}
	f.GlobalSet(g.fuel)
}

// charge writes the intrinsic of that name: it takes a computed number of
// units and asks the host for more at once when they are used up.
func (g *gen) charge(e *ast.CallExpr) {
	if g.compiler.unmetered {
		return
	}
	units := g.f.Temp(wasm.I64)
	g.expr(e.Args[0])
	g.set(units)
	f := g.out()
	f.GlobalGet(g.fuel)
	f.LocalGet(units)
	f.Op(wasm.OpI64Sub)
	f.LocalTee(units)
	f.GlobalSet(g.fuel)
	f.LocalGet(units)
	f.I64Const(0)
	f.Op(wasm.OpI64LtS)
	f.If()
	f.I32Const(siteFromMemory)
	f.Call(g.refuel)
	f.LocalGet(units)
	f.Op(wasm.OpI64Add)
	f.GlobalSet(g.fuel)
	f.End()
	f.Release(units)
}

func turnCost(parts ...ast.Node) int64 {
	nodes := 0
	for _, p := range parts {
		if p == nil {
			continue
		}
		ast.Inspect(p, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.ForStmt, *ast.RangeStmt:
				return false
			case nil:
				return true
			}
			nodes++
			return true
		})
	}
	return min(1+int64(nodes/nodesPerUnit), maxTurnUnits)
}

// loop writes a loop. Its head takes the cost out of the fuel, and when that
// is used up branches out to a block behind the loop, which asks the host for
// more and enters the loop again:
//
//	block $end
//	  loop $again
//	    block $empty
//	      loop $head
//	        fuel -= cost; br_if $empty (fuel < 0)
//	        ...
//	        br $head
//	      end
//	    end
//	    fuel += refuel(0) + cost
//	    br $again
//	  end
//	end
//
// A call in the loop itself would cost every turn more, as it makes the
// engine keep all locals in memory. The cost is given back, because the head
// charges it again; so what a run uses does not depend on the grants. body
// writes one turn and the branch to head.
func (g *gen) loop(cost int64, body func(end, head wasm.Label)) {
	if g.unmetered {
		end := g.out().Block()
		body(end, g.f.Loop())
		g.out().End()
		g.f.End()
		return
	}
	end := g.out().Block()
	again := g.f.Loop()
	empty := g.f.Block()
	head := g.f.Loop()
	left := g.f.Temp(wasm.I64)
	g.f.GlobalGet(g.fuel)
	g.f.I64Const(cost)
	g.f.Op(wasm.OpI64Sub)
	g.f.LocalTee(left)
	g.f.GlobalSet(g.fuel)
	g.f.LocalGet(left)
	g.f.I64Const(0)
	g.f.Op(wasm.OpI64LtS)
	g.f.BrIf(empty)
	g.f.Release(left)
	body(end, head)
	f := g.out()
	f.End()
	f.End()
	f.GlobalGet(g.fuel)
	f.I32Const(siteFromMemory)
	f.Call(g.refuel)
	f.Op(wasm.OpI64Add)
	f.I64Const(cost)
	f.Op(wasm.OpI64Add)
	f.GlobalSet(g.fuel)
	f.Br(again)
	f.End()
	f.End()
}
