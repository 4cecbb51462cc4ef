package egress

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	w.Close()
	return b.Bytes()
}

func TestContentCodings(t *testing.T) {
	text := []byte(strings.Repeat("the same again, ", 50))
	var withZlib, bare bytes.Buffer
	z := zlib.NewWriter(&withZlib)
	z.Write(text)
	z.Close()
	f, _ := flate.NewWriter(&bare, flate.BestCompression)
	f.Write(text)
	f.Close()
	h := newHarness(t, loopback())
	for _, c := range []struct {
		coding     string
		sent, want []byte
	}{
		{"", text, text},
		{"identity", text, text},
		{"gzip", gzipped(t, text), text},
		{"GZIP ", gzipped(t, text), text},
		{"x-gzip", gzipped(t, text), text},
		{"gzip", append(gzipped(t, text), gzipped(t, text)...), append(bytes.Clone(text), text...)},
		{"deflate", withZlib.Bytes(), text},
		{"deflate", bare.Bytes(), text},
		{"gzip", nil, nil},
		{"deflate", nil, nil},
		// What was not asked for is handed on as it is.
		{"br", []byte("raw"), []byte("raw")},
		{"gzip, gzip", []byte("raw"), []byte("raw")},
	} {
		port := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.coding != "" {
				w.Header().Set("Content-Encoding", c.coding)
			}
			w.Write(c.sent)
		})
		response := h.mustGet("http://127.0.0.1:" + port + "/")
		if !bytes.Equal(response.Body, c.want) {
			t.Errorf("%q: got %q", c.coding, response.Body)
		}
		if want := int64(max(len(c.sent), len(c.want))); response.BytesRead != want {
			t.Errorf("%q: BytesRead is %d, want %d", c.coding, response.BytesRead, want)
		}
	}
}

func TestResponseLimits(t *testing.T) {
	const most = 100_000
	config := loopback()
	config.MaxResponseBytes = most
	config.MaxHeaderBytes = 4096
	h := newHarness(t, config)
	zeros := make([]byte, 100*most)
	for _, c := range []struct {
		name      string
		handler   http.HandlerFunc
		bytesRead int64 // negative: an answer of as many bytes
	}{
		{"exactly full", func(w http.ResponseWriter, _ *http.Request) { w.Write(zeros[:most]) }, -most},
		{"exactly full, compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(gzipped(t, zeros[:most]))
		}, -most},
		{"announced", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(most+1))
			w.Write(zeros[:most+1])
		}, 0},
		{"streamed", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		}, most + 1},
		{"bomb", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(gzipped(t, zeros))
		}, most + 1},
		{"members without content", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			empty := bytes.Repeat(gzipped(t, nil), 100)
			for r.Context().Err() == nil {
				if _, err := w.Write(empty); err != nil {
					return
				}
			}
		}, most + 1},
		{"headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 20_000))
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := "http://127.0.0.1:" + serve(t, c.handler) + "/"
			if c.bytesRead < 0 {
				if got := h.mustGet(url); int64(len(got.Body)) != -c.bytesRead {
					t.Errorf("%d bytes", len(got.Body))
				}
				return
			}
			if failure := h.mustFail(Request{URL: url}, KindTooLarge); failure.BytesRead != c.bytesRead {
				t.Errorf("BytesRead is %d, want %d", failure.BytesRead, c.bytesRead)
			}
		})
	}
}

func TestResponseLimitOfRequest(t *testing.T) {
	port := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1000)) })
	config := loopback()
	config.MaxResponseBytes = 1000
	h := newHarness(t, config)
	url := "http://127.0.0.1:" + port + "/"
	h.must(Request{URL: url, MaxResponseBytes: 1000})
	h.must(Request{URL: url, MaxResponseBytes: 5000})
	h.mustFail(Request{URL: url, MaxResponseBytes: 999}, KindTooLarge)
	config.MaxResponseBytes = 999
	newHarness(t, config).mustFail(Request{URL: url, MaxResponseBytes: 5000}, KindTooLarge)
}
