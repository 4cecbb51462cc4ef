// Package loopback is the HTTP service that the conformance cases call: it answers fixed documents, tells what it was
// sent, and fails on demand.
package loopback

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

const bodyBytes = 16 << 20

// Start serves on a free port of 127.0.0.1. The caller closes it.
func Start() *httptest.Server { return httptest.NewServer(Handler()) }

// Port is the port that a server listens on, as text.
func Port(server *httptest.Server) string {
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return port
}

// Handler answers the routes of the service.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /json", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"id": 1, "name": "Ana"})
	})
	mux.HandleFunc("GET /text", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "hello")
	})
	mux.HandleFunc("GET /echo", echo)
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil || code < 200 || code > 599 {
			code = http.StatusBadRequest
		}
		answer(w, code, map[string]any{"code": code})
	})
	return mux
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyBytes))
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": err.Error()})
		return
	}
	query := make(map[string]string)
	for name, values := range r.URL.Query() {
		query[name] = values[0]
	}
	headers := make(map[string]string)
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = values[0]
	}
	var document any
	if json.Unmarshal(body, &document) != nil {
		document = nil
	}
	answer(w, http.StatusOK, map[string]any{
		"method": r.Method, "query": query, "headers": headers, "json": document, "body": string(body),
	})
}

func answer(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // a client that has gone is no concern of the service
}
