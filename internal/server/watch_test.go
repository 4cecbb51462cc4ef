package server

import (
	"net"
	"sync"
	"testing"
	"time"
)

// told is an owner that tells when it is ended.
type told chan error

func (t told) end(cause error) { t <- cause }

// connections gives both ends of a TCP connection.
func connections(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if far, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// An execution that begins while the watcher falls asleep is watched.
func TestWatcherFallsAsleep(t *testing.T) {
	near, far := connections(t)
	far.Close()
	w := newWatcher()
	defer w.close()
	for range 20 {
		w.looking.Lock()
		w.idle = watchIdleLooks // one more look, and it sleeps
		w.looking.Unlock()
		owner := make(told, 1)
		var e watched
		var both sync.WaitGroup
		both.Go(func() { w.look() })
		both.Go(func() { w.add(&e, near, owner) })
		both.Wait()
		select {
		case <-owner:
		case <-time.After(patience):
			t.Fatal("a client that is gone was not noticed")
		}
		w.remove(&e)
	}
}

// Whoever comes while everything is cancelled is cancelled, too.
func TestCancelAllMissesNobody(t *testing.T) {
	for range 100 {
		w := newWatcher()
		entries := make([]watched, 8)
		owner := make(told, len(entries))
		var all sync.WaitGroup
		for i := range entries {
			all.Go(func() { w.add(&entries[i], nil, owner) })
		}
		w.cancelAll(errShutdown)
		all.Wait()
		for i := range entries {
			w.remove(&entries[i])
		}
		if len(owner) != len(entries) {
			t.Fatalf("%d of %d were cancelled", len(owner), len(entries))
		}
		w.close()
	}
}
