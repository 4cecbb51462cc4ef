package server

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// After the signal a balancer can still ask and be told that the server goes, and
// what it sent before it knew is answered, on connections that end then.
func TestUnreadyBeforeTheEnd(t *testing.T) {
	h := start(t, "--shutdown-unready-ms=3600000")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- h.Shutdown(ctx) }()
	for deadline := time.Now().Add(patience); ; {
		response := h.do(http.MethodGet, pathReady, "", nil)
		if response.StatusCode == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still ready: %d", response.StatusCode)
		}
	}
	response := h.do(http.MethodGet, pathLive, "", nil)
	if response.StatusCode != http.StatusOK || !response.Close {
		t.Errorf("status %d, close %v", response.StatusCode, response.Close)
	}
	cancel()
	if err := await(t, "stop", stopped); err != nil {
		t.Error(err)
	}
}
