package engine

import (
	"context"
	"sync/atomic"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/runtime/abi"
)

// Script is a compiled script that stays compiled until it is released, other
// than those the cache holds. It is counted and starts with one reference, its
// maker's.
type Script struct {
	engine *Engine
	found  found
	refs   atomic.Int64
}

// Prepare compiles a script to be kept. The findings hold errors when there is
// no script, and may hold warnings when there is one.
func (e *Engine) Prepare(source *Source) (*Script, diag.List, error) {
	if !e.enter() {
		return nil, nil, shuttingDown()
	}
	defer e.leave()
	if source.Text == "" {
		return nil, diag.List{emptyScript()}, nil
	}
	if err := e.checkSize(source.Text); err != nil {
		return nil, nil, err
	}
	var f found
	var err error
	if queued := e.cache.work(context.Background(), "", func() { f, err = e.make(source) }); queued != nil {
		return nil, nil, findFailure(context.Background(), queued)
	}
	if f.module == nil {
		return nil, f.findings, err
	}
	f.hit = true
	s := &Script{engine: e, found: f}
	s.refs.Store(1)
	return s, f.findings, nil
}

// Manifest describes the script.
func (s *Script) Manifest() *abi.Manifest { return &s.found.module.Manifest }

// Acquire adds a reference, unless the last one is gone.
func (s *Script) Acquire() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release drops a reference; with the last one the compiled code goes.
func (s *Script) Release() {
	if s.refs.Add(-1) == 0 {
		s.found.module.Release()
	}
}

// Endpoint runs the top level of a script and what answers the endpoint with
// the given index in its manifest. The request's source, its variables and its
// wishes for logs and variables count for nothing; the answer's JSON is the
// endpoint's alone. The caller must hold a reference. The error is a
// *diag.Failure.
func (s *Script) Endpoint(ctx context.Context, index int, r *Request) (*Answer, error) {
	call := *r
	call.Variables, call.EchoVariables, call.endpoint = nil, false, index+1
	return s.engine.execute(ctx, &call, func() (found, error) {
		s.found.module.Retain() // execute releases it
		return s.found, nil
	})
}
