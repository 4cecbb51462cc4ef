package server

import (
	"net"
	"sync"
)

// entrance is where connections come in. fasthttp stops what it already listens
// to: a server that is told to stop before it serves would serve for ever.
type entrance struct {
	mu       sync.Mutex
	listener net.Listener
	shut     bool
}

// open takes a listener, or closes it if the entrance is shut.
func (e *entrance) open(listener net.Listener) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shut {
		_ = listener.Close() // nobody will know
		return false
	}
	e.listener = listener
	return true
}

// close lets nobody in, now and in future.
func (e *entrance) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shut = true
	if e.listener != nil {
		_ = e.listener.Close() // mostly it is closed already
	}
}
