package wasmhost

import (
	"context"
	"errors"
	"time"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/fairqueue"
)

var errClientWaits = errors.New("as many scripts of this client wait as may")

// takeTurn waits for a compute slot and gives an execution that holds it.
func (h *Host) takeTurn(ctx context.Context, m *Module, client string, idle bool) (*execution, *diag.Failure) {
	gate := h.config.Gate
	if gate != nil {
		var err error
		if idle {
			err = gate.EnterIdle(ctx)
		} else {
			err = gate.Enter(ctx, client)
		}
		if err != nil {
			return nil, gateFailure(ctx, err)
		}
	}
	leave := func() {
		if gate != nil {
			gate.Leave(client)
		}
	}
	if ctx.Err() != nil {
		leave()
		return nil, cancelled(ctx)
	}
	e, err := h.takeExecution(m, client)
	if err != nil {
		leave()
		return nil, noSlotFailure(err)
	}
	e.countFor(client, idle)
	e.computing, e.turnBegan = gate != nil, time.Now()
	return e, nil
}

func gateFailure(ctx context.Context, err error) *diag.Failure {
	switch {
	case errors.Is(err, fairqueue.ErrClientFull):
		return tooManyRequests(errClientWaits)
	case errors.Is(err, fairqueue.ErrFull):
		return noCapacity(err)
	}
	return cancelled(ctx)
}

func noSlotFailure(err error) *diag.Failure {
	if errors.Is(err, errClientSlots) {
		return tooManyRequests(err)
	}
	return noCapacity(err)
}

func tooManyRequests(cause error) *diag.Failure {
	f := diag.NewFailure(diag.TooManyRequests, "too many requests at once: %v", cause)
	f.Cause = cause
	return f
}

func noCapacity(cause error) *diag.Failure {
	f := diag.NewFailure(diag.NoCapacity, "no capacity: too many scripts are running")
	f.Cause = cause
	return f
}

// countFor says whose the execution is.
func (e *execution) countFor(client string, idle bool) {
	e.client = client
	e.waiter.Set(client, idle)
}

// discharge gives back what an execution has: its compute slot last, so that
// whoever gets that finds room. Then other threads may have the CPU.
func (h *Host) discharge(e *execution) {
	computing, client := e.computing, e.client
	h.giveExecution(e)
	if computing {
		gate := h.config.Gate
		crowded := gate.Waiting() > 0
		gate.Leave(client)
		yieldAfterTurn(crowded)
	}
}

// takeOver goes on with the turn of another execution, whose client pays for all of
// it, and with what that has waited.
func (e *execution) takeOver(other *execution) {
	e.computing, e.turnBegan, e.waited = other.computing, other.turnBegan, other.waited
	other.computing = false
}

// endTurn gives the compute slot back, if the execution holds one.
func (e *execution) endTurn() {
	if e.computing {
		e.chargeTurn()
		e.computing = false
		e.host.config.Gate.Leave(e.client)
	}
}

// beginTurn waits for a compute slot. When the execution is cancelled while it
// waits it goes on without one, which is enough to end.
func (e *execution) beginTurn() {
	if gate := e.host.config.Gate; gate != nil && !e.computing {
		began := time.Now()
		e.computing = gate.Wait(e.outer, e.waiter) == nil
		e.turnBegan = time.Now()
		e.waited += e.turnBegan.Sub(began)
	}
}

// yieldTurn lets those have the compute slot whose turn it is, and reports
// whether the execution had to wait.
func (e *execution) yieldTurn(ctx context.Context) (waited bool) {
	if !e.computing {
		return false
	}
	if gate := e.host.config.Gate; gate.Crowded(e.waiter) {
		e.chargeTurn()
		began := time.Now()
		var err error
		waited, err = gate.Yield(ctx, e.waiter)
		e.computing, e.turnBegan = err == nil, time.Now()
		e.waited += e.turnBegan.Sub(began)
		return waited
	}
	e.turnBegan = time.Now()
	return false
}

// chargeTurn makes the client pay for the time since the turn began, if
// somebody waits for the slot.
func (e *execution) chargeTurn() {
	if gate := e.host.config.Gate; e.computing && gate.Crowded(e.waiter) {
		gate.Charge(e.waiter, time.Since(e.turnBegan))
	}
}

// pause lets others run while the memory is wiped, which is done in any case.
func (e *execution) pause() {
	e.letThreads()
	e.yieldTurn(context.Background())
}

// withoutTurn gives the compute slot away for as long as f runs.
func (e *execution) withoutTurn(f func()) {
	e.endTurn()
	defer e.beginTurn()
	f()
}
