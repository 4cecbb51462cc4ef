package egress

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
)

// maxDrainedBytes is what is read of a redirect's body to keep its connection.
const maxDrainedBytes = 2 << 10

var errTooLarge = errors.New("the answer is too large")

// meter counts what passes and fails beyond its limit.
type meter struct {
	from        io.Reader
	count, most int64
}

func (m *meter) Read(p []byte) (int, error) {
	// One byte more than allowed tells an answer that is exactly as large as the
	// limit from one that is larger.
	left := m.most + 1 - m.count
	if left <= 0 {
		return 0, errTooLarge
	}
	n, err := m.from.Read(p[:min(int64(len(p)), left)])
	m.count += int64(n)
	if m.count > m.most {
		return n, errTooLarge
	}
	return n, err
}

// readBody reads an answer's body, decompressed, and tells how many bytes were
// handled, also when it fails. Both sides of the decompression are limited: the
// inside against bombs, the outside against streams that never yield anything.
func readBody(resp *http.Response, most int64) ([]byte, int64, error) {
	wire := &meter{from: resp.Body, most: most}
	plain := &meter{from: wire, most: most}
	decoded, err := decoder(wire, strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))))
	if err != nil {
		return nil, wire.count, err
	}
	// An answer to HEAD announces a body that does not come.
	if decoded == nil && resp.ContentLength > most && resp.Body != http.NoBody {
		return nil, 0, errTooLarge
	}
	if decoded != nil {
		plain.from = decoded
	}
	body, err := io.ReadAll(plain)
	return body, max(wire.count, plain.count), err
}

// decoder undoes a content coding; nil where there is none that we asked for.
// Others are left to the script, as Python's requests does.
func decoder(wire io.Reader, coding string) (io.Reader, error) {
	if coding != "gzip" && coding != "x-gzip" && coding != "deflate" {
		return nil, nil
	}
	buffered := bufio.NewReader(wire)
	head, err := buffered.Peek(2)
	if len(head) == 0 && errors.Is(err, io.EOF) {
		return buffered, nil // an answer to HEAD has the header and no body
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if coding != "deflate" {
		return gzip.NewReader(buffered)
	}
	// The name says zlib (RFC 9110); some servers send the bare stream.
	if len(head) == 2 && head[0]&15 == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(buffered)
	}
	return flate.NewReader(buffered), nil
}

// drain reads the rest of a body that nobody wants, if it is short.
func drain(resp *http.Response) int64 {
	var n int64
	if resp.ContentLength <= maxDrainedBytes {
		n, _ = io.CopyN(io.Discard, resp.Body, maxDrainedBytes) // a failure costs the connection, no more
	}
	_ = resp.Body.Close()
	return n
}
