package engine

import (
	"context"
	"sync/atomic"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
	"github.com/avapd/avapd/wasmhost"
)

// A script that is seen for the first time is tried on the interpreter: making
// machine code takes longer than most scripts run, and most of what a client
// sends in the body of a request is sent once. A trial has little fuel. When
// that is not enough, or something stops it that depends on the engine, machine
// code is made and the script begins anew, so it must be one that has no effects.
//
// Machine code is made behind the back of whoever asks as soon as the trials of a
// text have cost about as much as that will. So what is sent a few times is never
// compiled, what is sent often soon is, and no client has the server compile for
// longer than it has computed in turns of its own.

// What trials and machine code cost, in what the interpreter needs for a unit of
// fuel. All were measured.
const (
	trialPrice        = 1000
	trialPricePerByte = 3
	// codeTrials is how many trials that use no fuel cost as much as machine code.
	codeTrials = 6
)

// priceOfTrial is what a trial costs but for its fuel.
func priceOfTrial(m *wasmhost.Module) int64 {
	return trialPrice + trialPricePerByte*int64(m.CodeBytes)
}

// quickBytes is the largest source whose trial is made in a turn of computing; it
// takes no longer than others do.
const quickBytes = 4 << 10

// quickCodeBytes is the largest module whose machine code is made in a turn of
// computing.
const quickCodeBytes = 1536

// trialFuelPerByte is what a trial has for each byte of its module, as machine
// code for a long script takes long to make.
const trialFuelPerByte = 1

// trials counts how trials ended.
type trials struct{ enough, begun atomic.Int64 }

// TrialStats tells how trials ended: Enough gave the answer, and after Begun the
// script was begun again as machine code.
type TrialStats struct{ Enough, Begun int64 }

func (t *trials) stats() TrialStats {
	return TrialStats{Enough: t.enough.Load(), Begun: t.begun.Load()}
}

// mayTry decides whether a script may be begun and begun again: it needs
// nothing of the host but fuel and the time.
func mayTry(m *abi.Manifest) bool {
	for _, field := range m.Imports {
		if field != abi.RefuelField && field != abi.ClockField {
			return false
		}
	}
	return len(m.Tasks) == 0
}

// findFirst finds the machine code of a source, or a trial of it, or what is
// wrong with it.
func (e *Engine) findFirst(ctx context.Context, k key, r *Request) (found, error) {
	f, err := e.cache.get(ctx, r.Client, k.of(true), e.trialWork(r))
	if err == nil && f.module != nil && f.module.IsTrial() {
		f.trialOf = k
	}
	return f, err
}

// trialWork makes the trial of a source, or machine code if it may not be tried.
func (e *Engine) trialWork(r *Request) func() work {
	return func() work {
		a := &attempt{engine: e, source: e.source(r)}
		if len(a.source.Text) > quickBytes {
			return work{compile: a.compile}
		}
		return work{quick: a.try, compile: a.compile}
	}
}

// attempt is a source on its way to a trial, or to machine code.
type attempt struct {
	engine *Engine
	source *Source
	// artifact and findings are what the compiler made of it.
	artifact *Artifact
	findings diag.List
}

// try makes a trial, but not of what may not be tried.
func (a *attempt) try(giveWay func()) (m *wasmhost.Module, _ diag.List, err error) {
	a.artifact, a.findings, err = guardedCompile(a.engine.config.Compiler, a.source, giveWay)
	if a.artifact != nil && err == nil && mayTry(&a.artifact.Manifest) {
		m, err = a.engine.host.LoadTrial(a.artifact.Wasm, a.artifact.Manifest)
	}
	return m, a.findings, err
}

// compile makes machine code where there is no trial.
func (a *attempt) compile(giveWay func()) (*wasmhost.Module, diag.List, error) {
	if a.artifact == nil {
		if m, findings, err := a.try(giveWay); m != nil || err != nil || a.artifact == nil {
			return m, findings, err
		}
	}
	m, err := a.engine.host.Load(a.artifact.Wasm, a.artifact.Manifest)
	return m, a.findings, err
}

// codeWork makes the machine code of a trial that the caller holds.
func (e *Engine) codeWork(f *found) func() work {
	wasm, manifest, findings := f.module.Binary, f.module.Manifest, f.findings
	return func() work {
		load := func(func()) (*wasmhost.Module, diag.List, error) {
			m, err := e.host.Load(wasm, manifest)
			return m, findings, err
		}
		if len(wasm) <= quickCodeBytes {
			return work{quick: load, compile: load}
		}
		return work{compile: load}
	}
}

// runTrial runs a trial, and the machine code if the trial decides nothing.
func (e *Engine) runTrial(ctx context.Context, f found, r *Request, limits Limits) (*Answer, error) {
	little := limits
	little.Fuel = min(limits.Fuel, e.config.TrialFuel+int64(f.module.CodeBytes)*trialFuelPerByte)
	answer, failure := e.run(ctx, f, r, little)
	if decided(failure) || failure.Code == diag.OutOfFuel && little == limits {
		e.trials.enough.Add(1)
		e.pay(&f, r.Client, answer, failure)
		return orFailure(answer, failure)
	}
	e.trials.begun.Add(1)
	code, err := e.cache.get(ctx, r.Client, f.trialOf, e.codeWork(&f))
	if err != nil {
		return nil, findFailure(ctx, err)
	}
	defer code.module.Release()
	code.took, code.hit = code.took+f.took, false
	return orFailure(e.run(ctx, code, r, limits))
}

// pay counts what a trial has cost, and has machine code made when that is enough.
func (e *Engine) pay(f *found, client string, answer *Answer, failure *diag.Failure) {
	price := priceOfTrial(f.module)
	cost := price
	if failure != nil {
		cost += failure.Usage.FuelUsed
	} else {
		cost += answer.Usage.FuelUsed
	}
	if f.paid.Add(cost) >= codeTrials*price {
		e.cache.begin(client, f.trialOf, e.codeWork(f))
	}
}

// decided tells whether a trial came to an end that the script has on every
// engine.
func decided(failure *diag.Failure) bool {
	if failure == nil {
		return true
	}
	switch failure.Code {
	case diag.OutOfFuel, diag.DeadlineReached, diag.Overloaded, diag.RecursionLimit, diag.Internal:
		return false
	}
	return true
}
