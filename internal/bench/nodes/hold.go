package nodes

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
)

// hold is a server whose first answer comes when it is told to: who asks it is
// under way until then.
type hold struct {
	url    string
	server *http.Server
	asked  chan struct{}
	answer chan struct{}
	first  atomic.Bool
}

func newHold() (*hold, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hold{url: "http://" + listener.Addr().String(), asked: make(chan struct{}), answer: make(chan struct{})}
	h.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if h.first.CompareAndSwap(false, true) {
			close(h.asked)
			<-h.answer
		}
		_, _ = w.Write([]byte("ok"))
	})}
	go func() { _ = h.server.Serve(listener) }()
	return h, nil
}

// await waits until somebody has asked.
func (h *hold) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-h.asked:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody asks: %w", ctx.Err())
	}
}

// release lets who asked have the answer. It may be called once.
func (h *hold) release() { close(h.answer) }

func (h *hold) close() { _ = h.server.Close() }
