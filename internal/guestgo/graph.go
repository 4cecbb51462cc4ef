package guestgo

import (
	"go/ast"
	"go/types"
	"strings"
)

// callees lists the functions that a function's body mentions.
func (p *program) callees(d *ast.FuncDecl) []*types.Func {
	var fns []*types.Func
	ast.Inspect(d.Body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if fn, ok := p.info.Uses[id].(*types.Func); ok {
				fns = append(fns, fn)
			}
		}
		return true
	})
	return fns
}

// fallible gives the functions from which one whose name starts with "fail"
// can be reached, and which have a result to show it.
func (p *program) fallible() map[*types.Func]bool {
	callers := map[*types.Func][]*types.Func{}
	var work []*types.Func
	reached := map[*types.Func]bool{}
	for _, fn := range p.order {
		for _, g := range p.callees(p.decls[fn]) {
			callers[g] = append(callers[g], fn)
		}
		if strings.HasPrefix(fn.Name(), "fail") && fn.Signature().Recv() == nil {
			work = append(work, fn)
			reached[fn] = true
		}
	}
	for len(work) > 0 {
		fn := work[len(work)-1]
		work = work[:len(work)-1]
		for _, c := range callers[fn] {
			if !reached[c] {
				reached[c] = true
				work = append(work, c)
			}
		}
	}
	for fn := range reached {
		if !showsFailure(fn.Signature()) {
			delete(reached, fn)
		}
	}
	return reached
}

// showsFailure reports whether the first result can be negative.
func showsFailure(sig *types.Signature) bool {
	if sig.Results().Len() == 0 {
		return false
	}
	t := sig.Results().At(0).Type()
	if s, ok := t.Underlying().(*types.Struct); ok {
		t = s.Field(0).Type()
	}
	return scalar(t) == wasmI32 && isSigned(t)
}
