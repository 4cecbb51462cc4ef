package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
)

// unpack takes a content encoding off.
func unpack(t *testing.T, encoding string, body []byte) string {
	t.Helper()
	var reader io.Reader
	var err error
	switch encoding {
	case "":
		return string(body)
	case "gzip":
		reader, err = gzip.NewReader(bytes.NewReader(body))
	case "br":
		reader = brotli.NewReader(bytes.NewReader(body))
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(bytes.NewReader(body))
		t.Cleanup(func() { z.Close() })
		reader = z
	default:
		t.Fatalf("the encoding is %q", encoding)
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestCompression(t *testing.T) {
	h := start(t)
	plain := h.do(http.MethodGet, pathOpenAPI, "", nil, "Accept-Encoding", "identity")
	if plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("%v", plain.Header)
	}
	for accept, want := range map[string]string{
		"gzip": "gzip", "br": "br", "zstd": "zstd", "x-gzip": "gzip", "*": "zstd", "gzip, br": "br", "gzip, deflate, br, zstd": "zstd",
		"gzip;q=1.0, br;q=0.5": "gzip", "br;q=0, *": "zstd", "zstd;q=0, *;q=0.1": "br", "GZIP": "gzip", "gzip ; q=0.5 , br;q=0.2": "gzip",
		"gzip;q=0": "", "deflate": "", "identity": "", "*;q=0": "", "gzip;q=nonsense": "", "gzip;q=2": "", ",": "", "gzip;q=0.3, identity;q=0.9": "",
		"gzip;level=9": "gzip",
	} {
		r := h.do(http.MethodGet, pathOpenAPI, "", nil, "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%q is answered with %q, want %q", accept, got, want)
			continue
		}
		if got := unpack(t, want, r.body); got != string(plain.body) {
			t.Errorf("%q: the answer is another one, of %d bytes", accept, len(got))
		}
		if want != "" && len(r.body) > len(plain.body)/3 {
			t.Errorf("%q: %d of %d bytes are left", accept, len(r.body), len(plain.body))
		}
		if r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: Vary is %q", accept, r.Header.Get("Vary"))
		}
	}
	// Small answers are sent as they are; a problem is compressed as any other.
	if r := h.execute(`{"script":"s"}`, "Accept-Encoding", "gzip"); r.Header.Get("Content-Encoding") != "" || r.Header.Get("Vary") != "" {
		t.Errorf("%v", r.Header)
	}
	low := start(t, "--http-compress-bytes=10")
	r := low.execute(`{`, "Accept-Encoding", "gzip")
	r.Header.Del("Vary")
	if r.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", r.Header)
	}
	r.body = []byte(unpack(t, "gzip", r.body))
	r.wantProblem(t, http.StatusBadRequest, diag.BadJSON)
	off := start(t, "--http-compress-bytes=0")
	if r := off.do(http.MethodGet, pathOpenAPI, "", nil, "Accept-Encoding", "gzip"); r.Header.Get("Content-Encoding") != "" {
		t.Errorf("%v", r.Header)
	}
	// HEAD has no body, and no wrong length.
	if r := h.do(http.MethodHead, pathOpenAPI, "", nil, "Accept-Encoding", "gzip"); r.StatusCode != 200 || len(r.body) != 0 {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
}

func TestBodyComplexity(t *testing.T) {
	members := func(n int) string { return `{"script":"s","x":[` + strings.Repeat(`{"a":1},`, n-2) + `{}]}` }
	deep := func(n int) string {
		return `{"script":"s","x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}"
	}
	h := start(t, "--http-json-depth=20", "--http-json-members=100")
	for name, test := range map[string]struct {
		body   string
		status int
		code   diag.Code
	}{
		"as many members as may be": {members(100), 200, ""},
		"one more":                  {members(101), 413, diag.BodyComplex},
		"as deep as may be":         {deep(20), 200, ""},
		"one deeper":                {deep(21), 413, diag.BodyComplex},
		"brackets in text":          {`{"script":"s","x":"` + strings.Repeat(`[{\":`, 500) + `"}`, 200, ""},
		"escapes before a quote":    {`{"script":"s","x":"\\\\","y":"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[","z":["\\"]}`, 200, ""},
		"text without end":          {`{"script":"s","x":"` + strings.Repeat("a", 5000), 400, diag.BadJSON},
		"the last of duplicates":    {`{"script":"s","a":1,"a":2}`, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.execute(test.body)
			if test.code == "" {
				if r.StatusCode != test.status {
					t.Errorf("%d %s", r.StatusCode, r.body)
				}
				return
			}
			r.wantProblem(t, test.status, test.code)
		})
	}
	h.do(http.MethodPost, pathBatch, "application/json", strings.NewReader("["+members(60)+","+members(60)+"]")).wantProblem(t, 413, diag.BodyComplex)
}

func TestDuplicateMembers(t *testing.T) {
	h := startApps(t, testToken, "--http-json-duplicates=refuse")
	if r := h.put("shop", "function f(){\n}\nregisterEndpoint(\"/f\", \"POST\", [], \"\", f, out)"); r.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for _, path := range []string{pathExecute, "/f"} {
		for _, body := range []string{
			`{"script":"x = 1","script":"x = 2"}`, `{"script":"x = 1","a":[{"b":1,"c":2,"b":3}]}`, `{"script":"x = 1","variables":{"\u0061":1,"a":2}}`,
		} {
			r := h.do(http.MethodPost, path, "application/json", strings.NewReader(body))
			r.wantProblem(t, http.StatusBadRequest, diag.DuplicateMember)
		}
		if r := h.do(http.MethodPost, path, "application/json", strings.NewReader(`{"script":"x = 1","a":{"b":1},"c":{"b":2}}`)); r.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	h.execute(`{"script":`).wantProblem(t, http.StatusBadRequest, diag.BadJSON)
}

// FuzzComplexity holds the count against what the reader of JSON finds.
func FuzzComplexity(f *testing.F) {
	for _, seed := range []string{`{"a":[{"b":"\\\""}]}`, `[[["]"]]]`, `{"a":":","b":{}}`, `"`, `\"`, `["\\"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		depth, members, valid := walkJSON(body)
		if !valid {
			depth, members = 1, 1 // whatever it says, it says it without a panic
		}
		c := config.Default()
		c.HTTP.JSONDepth, c.HTTP.JSONMembers = depth, members
		if err := countBody(body, c); valid && err != nil {
			t.Errorf("%q with %d levels and %d members: %v", body, depth, members, err)
		}
		c.HTTP.JSONDepth = depth - 1
		if err := countBody(body, c); valid && depth > 0 && err == nil {
			t.Errorf("%q with %d levels has fewer", body, depth)
		}
		c.HTTP.JSONDepth, c.HTTP.JSONMembers = depth, members-1
		if err := countBody(body, c); valid && members > 0 && err == nil {
			t.Errorf("%q with %d members has fewer", body, members)
		}
	})
}

// walkJSON counts levels and members, and tells whether the text is JSON.
func walkJSON(body []byte) (depth, members int64, valid bool) {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return depth, members, errors.Is(err, io.EOF)
		}
		depth = max(depth, int64(d.StackDepth()))
		// A text in an odd place is a name.
		if kind, length := d.StackIndex(d.StackDepth()); kind == jsontext.KindBeginObject && length%2 == 1 && token.Kind() == jsontext.KindString {
			members++
		}
	}
}
