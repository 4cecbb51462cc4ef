package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"

	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/refcount"
	"github.com/avapd/avapd/runtime/abi"
)

// ErrKept says that the scripts which are kept take as much of the cache as they
// may.
var ErrKept = errors.New("the scripts of all apps take more memory than half of cache.bytes, which is all they may have")

// Script is a compiled script that stays compiled until it is released, other
// than those the cache may drop. It is counted and starts with one reference, its
// maker's.
type Script struct {
	// Digest is the SHA-256 of the source in hexadecimal, or of that and all it
	// imports.
	Digest string

	engine *Engine
	found  found
	bytes  int64
	refs   refcount.Count
}

// Prepare compiles a script to be kept, when it is the client's turn. The findings
// hold errors when there is no script, and may hold warnings when there is one. The
// error is a *diag.Failure or ErrKept.
func (e *Engine) Prepare(ctx context.Context, client string, source *Source) (*Script, diag.List, error) {
	held := e.enter()
	if held == nil {
		return nil, nil, shuttingDown()
	}
	defer e.leave(held)
	if source.Text == "" {
		return nil, diag.List{emptyScript()}, nil
	}
	if err := e.checkSize(source.Text); err != nil {
		return nil, nil, err
	}
	var digest filesDigest
	var f found
	var err error
	if queued := e.cache.work(ctx, client, func(giveWay func()) { f, err = e.make(digest.counted(*source), giveWay) }); queued != nil {
		err = queued
	}
	if err != nil {
		return nil, nil, findFailure(ctx, err)
	}
	if f.module == nil {
		return nil, f.findings, nil
	}
	s := &Script{Digest: digest.text(), engine: e, found: f, bytes: moduleBytes(f.module)}
	if !e.cache.reserve(s.bytes) {
		f.module.Release()
		return nil, nil, ErrKept
	}
	s.found.hit = true
	s.refs.Retain()
	return s, f.findings, nil
}

// filesDigest identifies a script and what it imports.
type filesDigest struct {
	main [sha256.Size]byte
	// all is of the digests of everything imported, in the order in which it is
	// loaded; nil when nothing was.
	all hash.Hash
}

// counted is the source with a Load whose results are part of the digest.
func (d *filesDigest) counted(source Source) *Source {
	d.main = sha256.Sum256([]byte(source.Text))
	if load := source.Load; load != nil {
		source.Load = func(name string) ([]byte, error) {
			text, err := load(name)
			d.add([]byte(name))
			d.add(text)
			return text, err
		}
	}
	return &source
}

func (d *filesDigest) add(text []byte) {
	if d.all == nil {
		d.all = sha256.New()
		d.all.Write(d.main[:])
	}
	one := sha256.Sum256(text)
	d.all.Write(one[:])
}

func (d *filesDigest) text() string {
	if d.all == nil {
		return hex.EncodeToString(d.main[:])
	}
	return hex.EncodeToString(d.all.Sum(nil))
}

// Manifest describes the script.
func (s *Script) Manifest() *abi.Manifest { return &s.found.module.Manifest }

// Acquire adds a reference, unless the last one is gone.
func (s *Script) Acquire() bool { return s.refs.TryRetain() }

// Release drops a reference; with the last one the compiled code goes.
func (s *Script) Release() {
	if s.refs.Release() {
		s.found.module.Release()
		s.engine.cache.reserve(-s.bytes)
	}
}

// Endpoint runs the top level of a script and what answers the endpoint with
// the given index in its manifest. The request's source, its variables and its
// wishes for logs and variables count for nothing, and the request is for that
// endpoint from then on; the answer's JSON is the endpoint's alone. The caller must hold a reference. The error is a
// *diag.Failure.
func (s *Script) Endpoint(ctx context.Context, index int, r *Request) (*Answer, error) {
	r.Variables, r.EchoVariables, r.endpoint = nil, false, index+1
	return s.engine.execute(ctx, r, Limits{}, func() (found, error) {
		s.found.module.Retain() // execute releases it
		return s.found, nil
	})
}
