package loopback

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	server := Start()
	defer server.Close()
	post := func(path, body string) (*http.Response, error) {
		return http.Post(server.URL+path, "application/json", strings.NewReader(body))
	}
	get := func(path, _ string) (*http.Response, error) { return http.Get(server.URL + path) }
	cases := []struct {
		call        func(path, body string) (*http.Response, error)
		path, body  string
		status      int
		contentType string
		part        string
	}{
		{get, "/json", "", 200, "application/json", `"name":"Ana"`},
		{get, "/text", "", 200, "text/plain", "hello"},
		{get, "/echo?a=1&a=2", "", 200, "application/json", `"query":{"a":"1"}`},
		{post, "/echo", `{"k": [1]}`, 200, "application/json", `"json":{"k":[1]}`},
		{post, "/echo", `raw`, 200, "application/json", `"body":"raw"`},
		{get, "/status/404", "", 404, "application/json", `{"code":404}`},
		{post, "/status/503", "", 503, "application/json", `{"code":503}`},
		{get, "/nowhere", "", 404, "text/plain; charset=utf-8", "not found"},
	}
	for _, c := range cases {
		response, err := c.call(c.path, c.body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(string(text), c.part) || response.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s: %d %s %s", c.path, response.StatusCode, response.Header.Get("Content-Type"), text)
		}
	}
	if port := Port(server); !strings.HasSuffix(server.URL, ":"+port) {
		t.Errorf("port %s of %s", port, server.URL)
	}
}
