package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/avapd/avapd/internal/api"
)

// What requests leave behind is used again by others: nobody is ever answered with what
// is another one's, and what is kept of an execution stays as it was, while others look
// at it and stop it.
func TestNobodyGetsWhatIsAnothersAgain(t *testing.T) {
	const clients, rounds = 4, 60
	p := paths(t)[3] // whose server has an app and a command, too
	s, dial := p.serve(t, nil, newAudit(t))
	done := make(chan struct{})
	var lookers, all sync.WaitGroup
	lookers.Go(func() {
		for turn := 0; ; turn++ {
			select {
			case <-done:
				return
			default:
			}
			list, _ := s.executions.list(executionID{}, "", 100)
			for _, e := range list {
				if state := e.running(); !strings.HasPrefix(state.RequestID, "client-") || state.Command != "" && state.Command != "greet" {
					t.Errorf("%+v", state)
				}
				if turn%8 == 0 {
					s.executions.stop(e.id)
				}
			}
		}
	})
	for i := range clients {
		a := dial()
		all.Go(func() {
			var want []api.ExecutionState
			for round := range rounds {
				id := fmt.Sprintf("client-%d-%d-%s", i, round, strings.Repeat("x", round%40))
				path, command := "/api/v1/commands/greet@1/execute", "greet"
				switch round % 4 {
				case 1:
					path, command = "/greet", ""
				case 2:
					path, command = "/api/v1/execute", ""
				}
				body := fmt.Sprintf(`{"name":%q,"script":%q}`, id, greetScript)
				r, answer := a.send(t, http.MethodPost, path, id, body)
				if r == nil {
					return
				}
				switch {
				case r.StatusCode == http.StatusOK && strings.Contains(answer, "Hello, "+id+`"`):
				case r.StatusCode == http.StatusServiceUnavailable && strings.Contains(answer, `"`+id+`"`): // stopped
				default:
					t.Errorf("%s is answered %d %s", id, r.StatusCode, answer)
				}
				want = append(want, api.ExecutionState{ID: r.Header.Get(api.HeaderExecution), RequestID: id, Command: command})
			}
			for _, w := range want {
				var state api.ExecutionState
				_, answer := a.send(t, http.MethodGet, pathExecutions+"/"+w.ID, "client-looks", "")
				if err := json.Unmarshal([]byte(answer), &state); err != nil || state.RequestID != w.RequestID || state.Command != w.Command || state.Client != "127.0.0.1" {
					t.Errorf("%s, want %+v", answer, w)
				}
			}
		})
	}
	all.Wait()
	close(done)
	lookers.Wait()
}

// send sends a request that has an identifier, and reads the answer.
func (a *asker) send(t *testing.T, method, path, id, body string) (r *http.Response, answer string) {
	t.Helper()
	_, err := fmt.Fprintf(a.conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s", method, path, id, len(body), body)
	if err == nil {
		r, err = http.ReadResponse(a.reader, nil)
	}
	if err != nil {
		t.Error(err)
		return nil, ""
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r, string(text)
}
