package server

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/avapd/avapd/internal/admission"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/quota"
	"github.com/avapd/avapd/runtime/abi"
)

// leastPlaces is how many executions can be under way for each compute slot
// however long they wait for each other: as many as keep the slots busy when a
// single client has half of the places.
const leastPlaces = 4

// admissionLimits translates the settings.
func admissionLimits(c *config.Config, slots int) admission.Limits {
	most := int(c.Admission.Places)
	if most == 0 {
		most = 2 * (slots + int(c.Compute.QueueLength))
	}
	own := int(c.Admission.ClientQueueLength)
	if own == 0 {
		own = int(c.Admission.QueueLength+1) / 2
	}
	return admission.Limits{
		Least: leastPlaces * slots, Most: most,
		Queue: int(c.Admission.QueueLength), ClientQueue: own,
		Wait: time.Duration(c.Admission.WaitMS) * time.Millisecond, Delay: time.Duration(c.Admission.DelayMS) * time.Millisecond,
	}
}

// admitted runs an execution when there is a place for it, and a quota of its
// client's that is not used up. Nobody waits for longer than has patience.
func (s *Server) admitted(ctx *runContext, n *note, patience time.Duration, run func(context.Context) (*engine.Answer, error)) (*engine.Answer, error) {
	limit := quotaLimit(s.settings.Load())
	if limit.Limits() {
		if err := s.checkQuota(ctx, ctx.client, limit); err != nil {
			return nil, err
		}
	}
	if err := s.gate.Enter(ctx, ctx.client, patience); err != nil {
		return nil, admissionProblem(ctx, err)
	}
	defer func() {
		ctx.over = time.Now()
		s.gate.Leave(ctx.client, ctx.over)
	}()
	// Who waits for a place has no part of the room in the audit log.
	if err := s.reserve(ctx); err != nil {
		return nil, err
	}
	ctx.admitted, n.begun = true, true
	answer, err := run(ctx)
	if err != nil {
		err = runProblem(n, err)
		n.begun = n.used != (diag.Usage{}) // what has run has used something
	} else {
		n.script, n.used = answer.Script, answer.Usage
	}
	if limit.Limits() {
		s.charge(ctx, ctx.client, n.used, limit)
	}
	return answer, err
}

// leave gives a place back.
func (s *Server) leave(client string) { s.gate.Leave(client, time.Now()) }

// patience is how long an execution waits for a place that asks for limits: no
// longer than it may run.
func (s *Server) patience(asked engine.Limits) time.Duration {
	return cmp.Or(asked.Duration, EngineLimits(s.settings.Load().Limits).Duration)
}

// cancelledProblem is about an execution that did not begin.
func cancelledProblem(ctx context.Context, err error) error {
	p := newProblem(http.StatusServiceUnavailable, diag.Cancelled, "cancelled: %v", context.Cause(ctx))
	p.cause = err
	return p
}

func admissionProblem(ctx context.Context, err error) error {
	refused, ok := errors.AsType[*admission.Refusal](err)
	if !ok {
		return cancelledProblem(ctx, err)
	}
	p := newProblem(http.StatusServiceUnavailable, diag.Overloaded, "the server is overloaded: %v", refused.Reason)
	if errors.Is(err, admission.ErrClientFull) {
		p = newProblem(http.StatusTooManyRequests, diag.TooManyRequests, "too many requests at once: %v", refused.Reason)
	}
	p.retryAfterS = retrySeconds(refused.Retry)
	return p
}

// longestRetry is the longest time that a client is told to wait for a place: what
// was measured under overload says little about later.
const longestRetry = 30

func retrySeconds(d time.Duration) int {
	return max(1, min(longestRetry, int(math.Ceil(d.Seconds()))))
}

// quotaLimit translates the settings.
func quotaLimit(c *config.Config) quota.Limit {
	return quota.Limit{
		Use: quota.Use{
			Fuel: c.Quotas.Fuel, Time: time.Duration(c.Quotas.TimeMS) * time.Millisecond,
			MemorySeconds: float64(c.Quotas.MemoryMiBSeconds) * (1 << 20),
		},
		Window: time.Duration(c.Quotas.WindowSeconds) * time.Second,
	}
}

// checkQuota refuses an execution of a client that has used up what it may.
func (s *Server) checkQuota(ctx context.Context, client string, l quota.Limit) error {
	over, again := s.accounts.Check(ctx, client, l)
	if over == "" {
		return nil
	}
	setting := map[string]string{quota.Fuel: "quotas.fuel", quota.Time: "quotas.time_ms", quota.Memory: "quotas.memory_mib_s"}[over]
	p := newProblem(http.StatusTooManyRequests, diag.QuotaUsed, "the %s of this client for a window of %s is used up, which is %s", over, l.Window, setting)
	p.retryAfterS = int(math.Ceil(again.Seconds()))
	return p
}

// charge counts what an execution has used, if that has a quota.
func (s *Server) charge(ctx context.Context, client string, used diag.Usage, l quota.Limit) {
	if used == (diag.Usage{}) {
		return
	}
	memory := float64(used.MemoryPages) * abi.PageBytes * used.RunTime.Seconds()
	s.accounts.Charge(ctx, client, quota.Use{Fuel: used.FuelUsed, Time: used.RunTime, MemorySeconds: memory}, l)
}
