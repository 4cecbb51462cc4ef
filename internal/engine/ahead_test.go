package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/fairqueue"
)

// early is an engine that compiles ahead, with commands c0, c1 and so on that are
// all of one size, and counts what it compiles.
type early struct {
	*Engine

	t        *testing.T
	shelf    *shelf
	compiles atomic.Int32
}

// newEarly makes one with room for so many commands, and a part of it for those
// that are compiled ahead.
func newEarly(t *testing.T, commands, room, ahead int) *early {
	t.Helper()
	var text strings.Builder
	for i := range commands {
		fmt.Fprintf(&text, "\n-- c%d --\nreturn(%d)\n", i, 100+i)
	}
	s := &early{t: t, shelf: newShelf(t, text.String())}
	one := int(artifactBytes(s.bytes("c0")))
	s.Engine = newEngine(t, nil, func(c *Config) {
		c.CacheBytes, c.AheadBytes = int64(room*one), int64(ahead*one)
		c.Compiled = func(bool, time.Duration) { s.compiles.Add(1) }
	})
	return s
}

func (s *early) bytes(name string) int {
	wasm, err := s.shelf.commands[name].Fetch(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.shelf.fetches.Add(-1)
	return len(wasm)
}

// ahead describes a command that changed at a minute.
func (s *early) ahead(i, minute int) *Ahead {
	name := fmt.Sprintf("c%d", i)
	return &Ahead{Command: s.shelf.commands[name], Bytes: s.bytes(name), Changed: time.Unix(int64(60*minute), 0)}
}

// begin compiles commands ahead, each of which changed at the minute of its number.
func (s *early) begin(numbers ...int) {
	s.t.Helper()
	for _, i := range numbers {
		if _, err := s.CompileAhead(s.t.Context(), s.ahead(i, i)); err != nil {
			s.t.Error(err)
		}
	}
}

// call calls a command and tells whether it was compiled before.
func (s *early) call(i int) bool {
	s.t.Helper()
	before := s.compiles.Load()
	a, err := s.RunCommand(s.t.Context(), s.shelf.commands[fmt.Sprintf("c%d", i)], &Request{})
	if err != nil {
		s.t.Fatal(err)
	}
	if now := s.compiles.Load(); (now == before) != a.CacheHit {
		s.t.Errorf("c%d: hit %t, compiled %d times", i, a.CacheHit, now-before)
	}
	return a.CacheHit
}

// want compares what is in memory.
func (s *early) want(when string, numbers ...int) {
	s.t.Helper()
	in := map[int]bool{}
	for _, i := range numbers {
		in[i] = true
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	for i := range len(s.shelf.commands) {
		e := s.cache.entries[s.shelf.commands[fmt.Sprintf("c%d", i)].key()]
		if (e != nil) != in[i] {
			s.t.Errorf("%s: c%d is in memory: %t", when, i, e != nil)
		}
		if e != nil && references(e.module) != 1 {
			s.t.Errorf("%s: c%d has %d references", when, i, references(e.module))
		}
	}
}

// The first call of what was compiled ahead finds it, and it is not made twice.
func TestCompileAhead(t *testing.T) {
	s := newEarly(t, 2, 10, 10)
	for i, want := range []bool{true, false} {
		compiled, err := s.CompileAhead(t.Context(), s.ahead(0, i))
		if err != nil || compiled != want {
			t.Errorf("%d: %t, %v", i, compiled, err)
		}
	}
	if !s.call(0) || s.call(1) || s.shelf.fetches.Load() != 2 || s.compiles.Load() != 2 {
		t.Errorf("%d fetches, %d compiles", s.shelf.fetches.Load(), s.compiles.Load())
	}
}

// What cannot be had, or is no module, is the error of whoever compiles it ahead,
// and a caller asks for it anew.
func TestCompileAheadFails(t *testing.T) {
	s := newEarly(t, 1, 10, 10)
	gone := errors.New("nobody has it")
	missing := s.shelf.add("gone", []byte("gone"), gone)
	var fetch *FetchError
	if compiled, err := s.CompileAhead(t.Context(), &Ahead{Command: missing}); compiled || !errors.As(err, &fetch) || !errors.Is(err, gone) {
		t.Error(compiled, err)
	}
	if len(s.cache.entries) != 0 {
		t.Error("the failure is remembered")
	}
	var artifact *ArtifactError
	if compiled, err := s.CompileAhead(t.Context(), &Ahead{Command: s.shelf.add("broken", []byte("no module"), nil)}); compiled || !errors.As(err, &artifact) {
		t.Error(compiled, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if compiled, err := s.CompileAhead(t.Context(), s.ahead(0, 0)); compiled || err == nil {
		t.Error(compiled, err)
	}
}

// A command that a caller could not have is compiled ahead when that is no longer
// remembered.
func TestCompileAheadAfterFailure(t *testing.T) {
	s := newEarly(t, 1, 10, 10)
	failing := *s.shelf.commands["c0"]
	failing.Fetch = func(context.Context) ([]byte, error) { return nil, errors.New("nobody has it") }
	if _, err := s.RunCommand(t.Context(), &failing, &Request{}); err == nil {
		t.Fatal("it was there")
	}
	for _, late := range []bool{false, true} {
		if late {
			s.cache.now = func() time.Time { return time.Now().Add(time.Hour) }
		}
		if compiled, err := s.CompileAhead(t.Context(), s.ahead(0, 0)); err != nil || compiled != late {
			t.Errorf("an hour later (%t): %t, %v", late, compiled, err)
		}
	}
}

// Within the part for what is compiled ahead those stay that changed last, until
// somebody calls them: then they do not count any more.
func TestAheadKeepsToItsPart(t *testing.T) {
	s := newEarly(t, 8, 100, 3)
	s.begin(5, 3, 4, 2)
	s.want("the oldest has no room", 3, 4, 5)
	s.begin(6)
	s.want("the newest takes its room", 4, 5, 6)
	s.call(4)
	s.begin(7)
	s.want("what was called counts no more", 4, 5, 6, 7)
	s.begin(3)
	s.want("the part is full again", 4, 5, 6, 7)
	if s.compiles.Load() != 5 {
		t.Errorf("%d compiles", s.compiles.Load())
	}
	for _, none := range []int64{0, 1} {
		s.cache.aheadBytes = none
		s.begin(0)
	}
	s.want("no part", 4, 5, 6, 7)
}

// What callers use drives out what was compiled ahead, which changed first before
// the others, and never the other way round.
func TestAheadGivesWay(t *testing.T) {
	s := newEarly(t, 9, 4, 3)
	s.begin(3, 2, 1)
	s.call(5)
	s.want("all have room", 1, 2, 3, 5)
	s.call(6)
	s.want("the oldest goes", 2, 3, 5, 6)
	s.call(2)
	s.call(7)
	s.want("one that was called stays", 2, 5, 6, 7)
	s.begin(8)
	s.want("no room but that of callers", 2, 5, 6, 7)
	if n := s.cache.stats().Evictions; n != 2 {
		t.Errorf("%d evictions", n)
	}
	for _, i := range []int{2, 5, 6, 7} {
		if !s.call(i) {
			t.Errorf("c%d was compiled again", i)
		}
	}
}

// Also scripts that are kept drive out what was compiled ahead.
func TestAheadGivesWayToKeptScripts(t *testing.T) {
	s := newEarly(t, 5, 4, 4)
	s.begin(4, 3, 2, 1)
	one := artifactBytes(s.bytes("c0"))
	if !s.cache.reserve(one + 1) {
		t.Fatal("no room")
	}
	s.want("reserved", 3, 4)
}

// A version takes over from the one before it: where callers use that, it is kept
// as if they had called it, and else it takes its room.
func TestAheadReplaces(t *testing.T) {
	s := newEarly(t, 6, 2, 1)
	replace := func(i, old int) {
		t.Helper()
		a := s.ahead(i, i)
		a.Replaced = s.ahead(old, 0).Command
		if _, err := s.CompileAhead(t.Context(), a); err != nil {
			t.Error(err)
		}
	}
	s.begin(0)
	replace(1, 0)
	s.want("nobody called it", 1)
	s.call(1)
	s.call(2)
	s.begin(3)
	s.want("full", 1, 2)
	replace(3, 5)
	s.want("nobody uses what it replaces", 1, 2)
	before := s.compiles.Load()
	replace(3, 2)
	if s.compiles.Load() != before+1 {
		t.Error("what replaces a version that is used was not compiled")
	}
	if stats := s.cache.stats(); stats.Scripts != 2 || len(s.cache.ahead) != 0 {
		t.Errorf("%+v, %d ahead", stats, len(s.cache.ahead))
	}
}

// Whoever calls a command that is being compiled ahead waits for it, and it is
// theirs. Who compiles ahead and gives up leaves it to be made.
func TestCallersJoinCompilesAhead(t *testing.T) {
	s := newEarly(t, 2, 1, 1)
	for i := range s.config.CompileWorkers { // no client has them all
		if err := s.cache.workers.Wait(t.Context(), fairqueue.NewWaiter(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	ctx, giveUp := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := s.CompileAhead(ctx, s.ahead(0, 0))
		ended <- err
	}()
	awaitEntry := func(wanted int) {
		for {
			s.cache.mu.Lock()
			e := s.cache.entries[s.shelf.commands["c0"].key()]
			there := e != nil && e.wanted == wanted
			s.cache.mu.Unlock()
			if there {
				return
			}
			runtime.Gosched()
		}
	}
	awaitEntry(1)
	giveUp()
	if err := <-ended; err == nil {
		t.Error("it did not give up")
	}
	go func() {
		_, err := s.RunCommand(t.Context(), s.shelf.commands["c0"], &Request{})
		ended <- err
	}()
	awaitEntry(2)
	for i := range s.config.CompileWorkers {
		s.cache.workers.Leave(fmt.Sprint(i))
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s.compiles.Load() != 1 || s.shelf.fetches.Load() != 1 {
		t.Errorf("%d compiles, %d fetches", s.compiles.Load(), s.shelf.fetches.Load())
	}
	s.begin(1)
	s.want("what was called stays", 0)
}

// A compile ahead is followed by a rest that is as long, or ends with the context.
func TestAheadRests(t *testing.T) {
	s := newEarly(t, 1, 1, 1)
	began := time.Now()
	s.cache.restAhead(t.Context(), time.Millisecond)
	if rested := time.Since(began); rested < time.Millisecond {
		t.Errorf("rested %s", rested)
	}
	ends, cancel := context.WithTimeout(t.Context(), 2*longestRest)
	defer cancel()
	s.cache.restAhead(ends, time.Hour)
	if ends.Err() == nil {
		t.Error("rested for less than was worked")
	}
}

// BenchmarkAheadRoom looks for room among a thousand commands that nobody called.
func BenchmarkAheadRoom(b *testing.B) {
	c := &cache{maxBytes: 1 << 40, aheadBytes: 1 << 40}
	for i := range 1000 {
		e := &entry{bytes: 1, changed: time.Unix(int64(i), 0), ahead: true}
		c.ahead = append(c.ahead, e)
	}
	for b.Loop() {
		c.pruneAhead()
		if _, ok := c.roomAhead(time.Unix(0, 0), 1, 0); !ok {
			b.Fatal("no room")
		}
	}
}
