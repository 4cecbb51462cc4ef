package differential

import (
	"slices"
	"strings"

	"github.com/avapd/avapd/compiler/syntax"
	"github.com/avapd/avapd/runtime/catalog"
)

// mostAttempts bounds the work of shrinking one program.
const mostAttempts = 4000

// shrink takes away from a program what still holds does not need: lines, blocks around statements, parts of expressions,
// and the request. still reports whether a smaller program shows the same disagreement; the smallest found is returned.
func shrink(p program, still func(*program) bool) program {
	s := &shrinker{best: p, still: still, left: mostAttempts}
	s.request()
	for {
		before := s.best.Script
		s.lines()
		s.blocks()
		s.expressions()
		if s.best.Script == before || s.left <= 0 {
			return s.best
		}
	}
}

type shrinker struct {
	best  program
	still func(*program) bool
	left  int
}

// accept takes a smaller program over if it still disagrees.
func (s *shrinker) accept(p program) bool {
	if s.left--; s.left < 0 || !s.still(&p) {
		return false
	}
	s.best = p
	return true
}

func (s *shrinker) script(text string) bool {
	p := s.best
	p.Script = text
	return len(text) < len(s.best.Script) && s.accept(p)
}

func (s *shrinker) request() {
	for _, drop := range []func(*program){
		func(p *program) { p.Logs = false },
		func(p *program) { p.Variables = "" },
		func(p *program) { p.Body = "" },
		func(p *program) { p.Query = nil },
		func(p *program) { p.Imports = nil },
	} {
		p := s.best
		drop(&p)
		s.accept(p)
	}
}

// lines removes runs of lines, long ones first.
func (s *shrinker) lines() {
	for size := strings.Count(s.best.Script, "\n"); size > 0; size /= 2 {
		for at := 0; ; {
			lines := strings.Split(s.best.Script, "\n")
			if at+size > len(lines) {
				break
			}
			if !s.script(strings.Join(slices.Concat(lines[:at], lines[at+size:]), "\n")) {
				at += size
			}
		}
	}
}

// span is a part of the script, and the texts that may stand in its place.
type span struct {
	extent  syntax.Extent
	instead []string
}

// each tries the replacements of all spans that find gives, from the first on, and begins anew with what is left.
func (s *shrinker) each(find func(script *syntax.Script) []span) {
	for skip := 0; s.left > 0; {
		script, findings := syntax.Parse("script", []byte(s.best.Script), syntax.Options{RawParam: catalog.RawParam})
		if findings.HasErrors() {
			return
		}
		spans := find(script)
		if skip >= len(spans) {
			return
		}
		text, replaced := s.best.Script, false
		for _, instead := range spans[skip].instead {
			from, to := spans[skip].extent.From, spans[skip].extent.To
			if replaced = s.script(text[:from] + instead + text[to:]); replaced {
				break
			}
		}
		if !replaced {
			skip++
		}
	}
}

// blocks puts what stands in a block in its place.
func (s *shrinker) blocks() {
	s.each(func(script *syntax.Script) []span {
		text := s.best.Script
		var spans []span
		syntax.WalkStmts(script.Body, func(st syntax.Stmt) bool {
			var instead []string
			for _, body := range bodies(st) {
				if len(body) > 0 {
					instead = append(instead, text[body[0].Start():body[len(body)-1].End()])
				}
			}
			spans = append(spans, span{syntax.Extent{From: st.Start(), To: st.End()}, append(instead, "")})
			return true
		})
		return spans
	})
}

func bodies(st syntax.Stmt) [][]syntax.Stmt {
	switch st := st.(type) {
	case *syntax.If:
		return [][]syntax.Stmt{st.Then, st.Else}
	case *syntax.Loop:
		return [][]syntax.Stmt{st.Body}
	case *syntax.While:
		return [][]syntax.Stmt{st.Body}
	case *syntax.Try:
		return [][]syntax.Stmt{st.Body, st.Handler}
	}
	return nil
}

// expressions replaces an expression with one of its parts, or with a constant.
func (s *shrinker) expressions() {
	s.each(func(script *syntax.Script) []span {
		text := s.best.Script
		var spans []span
		visit := func(x syntax.Expr) bool {
			var instead []string
			syntax.EachChild(x, func(child syntax.Expr) { instead = append(instead, text[child.Start():child.End()]) })
			instead = append(instead, "0", "1", `""`, "[]", "{}", "None", "x")
			spans = append(spans, span{syntax.Extent{From: x.Start(), To: x.End()}, instead})
			return true
		}
		syntax.WalkStmts(script.Body, func(st syntax.Stmt) bool {
			for _, x := range roots(st) {
				syntax.Walk(x, visit)
			}
			return true
		})
		return spans
	})
}

// roots are the expressions that a statement itself has.
func roots(st syntax.Stmt) []syntax.Expr {
	var out []syntax.Expr
	add := func(list ...syntax.Expr) {
		for _, x := range list {
			if x != nil {
				out = append(out, x)
			}
		}
	}
	argument := func(a *syntax.Arg) {
		if a != nil {
			add(a.Expr)
		}
	}
	switch st := st.(type) {
	case *syntax.Assign:
		add(st.Value)
		if target, ok := st.Target.(*syntax.Index); ok {
			add(target.I)
		}
	case *syntax.CallStmt:
		syntax.EachChild(st.Call, func(x syntax.Expr) { add(x) })
	case *syntax.If:
		add(st.Cond.Expr)
		argument(st.Cond.Left)
		argument(st.Cond.Right)
	case *syntax.Loop:
		argument(st.First)
		argument(st.Last)
	case *syntax.While:
		add(st.Cond)
	case *syntax.Return:
		add(st.Value)
	}
	return out
}
