package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/avapd/avapd/internal/bench/load"
	"github.com/avapd/avapd/internal/bench/machine"
	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/engine"
	"github.com/avapd/avapd/internal/server"
)

// question is what the engine in a process of its own is asked to do.
type question struct {
	// Run executes a script Count times and tells how long each took.
	Run   string `json:",omitempty"`
	Body  json.RawMessage
	Count int
	// Cancel stops an endless script after it ran for a moment.
	Cancel string `json:",omitempty"`
	// Keep executes scripts once each and tells how much memory remains.
	Keep []string `json:",omitempty"`
}

type reply struct {
	P50, P95, P99, Least time.Duration
	Result               json.RawMessage
	Bytes                int64
}

// oneEngine is set up as the server does it.
type oneEngine struct {
	*engine.Engine
	limits engine.Limits
}

func serveEngine(in io.Reader, out io.Writer) error {
	return answerWith(in, out, func(*engine.Config) {})
}

// answerWith runs an engine that was changed in some way.
func answerWith(in io.Reader, out io.Writer, change func(*engine.Config)) error {
	settings := config.Default()
	settings.LimitsMax.Fuel, settings.LimitsMax.TimeMS = 1<<50, 60_000
	server.KeepProcessorFree(settings)
	server.CollectSeldom(settings, os.Environ())
	c := server.EngineConfig(settings)
	change(&c)
	// The computations are long: a trial would only be in their way, and without
	// fuel it would not end.
	c.TrialFuel = 0
	e, err := engine.New(c)
	if err != nil {
		return err
	}
	one := &oneEngine{e, engine.Limits{Fuel: 1 << 50, Duration: time.Minute}}
	if err := answerAll(in, out, one.answer); err != nil {
		return err
	}
	return e.Close(context.Background())
}

func (e *oneEngine) answer(q question) (reply, error) {
	switch {
	case q.Cancel != "":
		return e.cancel(q)
	case len(q.Keep) > 0:
		return e.keep(q)
	default:
		return e.run(q)
	}
}

func (e *oneEngine) execute(ctx context.Context, source string, body []byte) (*engine.Answer, error) {
	return e.Run(ctx, &engine.Request{Source: source, Body: body, EchoVariables: true, Limits: e.limits})
}

func (e *oneEngine) run(q question) (reply, error) {
	var r reply
	times := make([]time.Duration, 0, q.Count)
	for range q.Count {
		began := time.Now()
		answer, err := e.execute(context.Background(), q.Run, q.Body)
		times = append(times, time.Since(began))
		if err != nil {
			return r, err
		}
		r.Result = answer.Result
	}
	r.quantiles(times)
	return r, nil
}

func (r *reply) quantiles(times []time.Duration) {
	slices.Sort(times)
	r.P50, r.P95, r.P99 = load.Quantile(times, 0.5), load.Quantile(times, 0.95), load.Quantile(times, 0.99)
	r.Least = times[0]
}

// cancel measures from the moment a context ends to the moment its execution
// is gone.
func (e *oneEngine) cancel(q question) (reply, error) {
	var times []time.Duration
	for range q.Count {
		ctx, cancel := context.WithCancel(context.Background())
		var called time.Time
		timer := time.AfterFunc(time.Millisecond, func() { called = time.Now(); cancel() })
		_, err := e.execute(ctx, q.Cancel, nil)
		stopped := time.Now()
		timer.Stop()
		cancel()
		failure, ok := errors.AsType[*diag.Failure](err)
		if !ok || failure.Code != diag.Cancelled {
			return reply{}, fmt.Errorf("an endless script ends with %w", err)
		}
		times = append(times, stopped.Sub(called))
	}
	var r reply
	r.quantiles(times)
	return r, nil
}

// keep measures what the compiled scripts of the cache take.
func (e *oneEngine) keep(q question) (reply, error) {
	before, err := settledMemory()
	if err != nil {
		return reply{}, err
	}
	for _, script := range q.Keep {
		if _, err := e.execute(context.Background(), script, nil); err != nil {
			return reply{}, err
		}
	}
	after, err := settledMemory()
	return reply{Bytes: after - before}, err
}

// settledMemory is the resident memory without garbage.
func settledMemory() (int64, error) {
	debug.FreeOSMemory()
	return machine.Resident(os.Getpid())
}
