package client

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// A server that takes no requests is asked once and says why; its health is no secret.
func TestReady(t *testing.T) {
	status := http.StatusServiceUnavailable
	asked := 0
	s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked for %s, with %v", r.URL.Path, r.Header)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "{\"status\":\"stopping\"}\n")
	})
	ready, why, err := c.Ready(t.Context())
	if ready || why != `503 Service Unavailable {"status":"stopping"}` || err != nil || asked != 1 {
		t.Errorf("%t, %q, %v, asked %d times", ready, why, err, asked)
	}
	status = http.StatusOK
	if ready, _, err = c.Ready(t.Context()); !ready || err != nil {
		t.Errorf("%t, %v", ready, err)
	}
	s.Close()
	ready, _, err = c.Ready(t.Context())
	if unreachable, ok := errors.AsType[*UnreachableError](err); ready || !ok || unreachable.Sent {
		t.Errorf("%t, %v", ready, err)
	}
}
