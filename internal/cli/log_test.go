//go:build unix

package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Secrets go into a server in every way that there is. None comes out in its log,
// on the most talkative level, whose lines about an execution name it.
func TestNoSecretIsLogged(t *testing.T) {
	dir := t.TempDir()
	connectors := `{"shop":{"type":"api","url":"http://127.0.0.1:1/","headers":{"X-Key":"` + secretWord + `"}}}`
	for name, content := range map[string]string{"token": secretWord + secretWord, "connectors": connectors} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startServe(t, "--log-level", "debug", "--admin-token-file", filepath.Join(dir, "token"), "--connectors-file", filepath.Join(dir, "connectors"),
		"--data-url", "postgres://user:"+secretWord+"@127.0.0.1:1/db?connect_timeout=1", "--redis-url", "redis://user:"+secretWord+"@127.0.0.1:1/0",
		"--tracing-endpoint", "http://127.0.0.1:1", "--tracing-protocol", "http", "--tracing-headers", "authorization=Bearer "+secretWord, "--egress-allow", "127.0.0.0/8")
	send := func(method, path, body string, headers ...string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	run := func(script string) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"script": script, "password": secretWord})
		if err != nil {
			t.Fatal(err)
		}
		send(http.MethodPost, "/api/v1/execute?api_key="+secretWord, string(body), "Cookie", "session="+secretWord)
	}
	send(http.MethodGet, "/api/v1/executions", "", "Authorization", "Bearer "+secretWord)
	send(http.MethodGet, "/api/v1/executions", "", "Authorization", "Bearer "+secretWord+secretWord)
	send(http.MethodGet, "/nothing/token="+secretWord+"?token="+secretWord, "")
	send(http.MethodPost, "/api/v1/execute", `{"script":`+secretWord)
	send(http.MethodPut, "/api/v1/signers/x", `{"key":"-----BEGIN PRIVATE KEY-----`+secretWord+`"}`, "Authorization", "Bearer "+secretWord+secretWord)
	run(`raise("password=` + secretWord + `")`)
	run(`x = "` + secretWord)
	run(`RequestGet("http://user:` + secretWord + `@127.0.0.1:1/?token=` + secretWord + `", , , x)`)
	run(`RequestGet("http://127.0.0.1:1/?token=` + secretWord + `", , {"Authorization": "Bearer ` + secretWord + `"}, x)`)
	run(`ormDirect("SELECT 1 WHERE 'password' = '` + secretWord + `'", x)`)
	run(`c = avapConnector("shop")
c.get("/` + secretWord + `", x)`)
	s.stop()
	named := false
	for line := range strings.Lines(s.stderr.String()) {
		if strings.Contains(line, secretWord) {
			t.Error(line)
		}
		var entry struct {
			Msg       string
			Request   string `json:"request_id"`
			Execution string `json:"execution_id"`
			Trace     string `json:"trace_id"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Error(line)
		}
		if strings.HasSuffix(entry.Msg, "of a script failed") {
			named = true
			if entry.Request == "" || entry.Execution == "" || entry.Trace == "" {
				t.Error(line)
			}
		}
	}
	if !named {
		t.Error("no call of a script failed")
	}
}
