package wasmhost

import (
	"context"
	"errors"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/fairqueue"
)

var errClientWaits = errors.New("as many scripts of this client wait as may")

// admit waits for a compute slot and gives an execution that holds it.
func (h *Host) admit(ctx context.Context, m *Module, client string, idle bool) (*execution, *diag.Failure) {
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
	e.computing = gate != nil
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
// whoever gets that finds room. Only where wiping the memory takes long others
// compute meanwhile.
func (h *Host) discharge(e *execution) {
	if e.slot.highBytes > wipeByClear {
		e.leaveSlot()
	}
	computing, client := e.computing, e.client
	h.giveExecution(e)
	if computing {
		h.config.Gate.Leave(client)
	}
}

// leaveSlot gives the compute slot back, if the execution holds one.
func (e *execution) leaveSlot() {
	if e.computing {
		e.computing = false
		e.host.config.Gate.Leave(e.client)
	}
}

// rejoinSlot waits for a compute slot. When the execution is cancelled while it
// waits it goes on without one, which is enough to end.
func (e *execution) rejoinSlot() {
	if gate := e.host.config.Gate; gate != nil && !e.computing {
		e.computing = gate.Wait(e.outer, e.waiter) == nil
	}
}

// yieldSlot lets those have the compute slot whose turn it is, and reports
// whether the execution had to wait.
func (e *execution) yieldSlot() bool {
	gate := e.host.config.Gate
	if gate == nil || !e.computing || !gate.Crowded(e.waiter) {
		return false
	}
	waited, err := gate.Yield(e.outer, e.waiter)
	e.computing = err == nil
	return waited
}

// withoutSlot gives the compute slot away for as long as f runs.
func (e *execution) withoutSlot(f func()) {
	e.leaveSlot()
	defer e.rejoinSlot()
	f()
}
