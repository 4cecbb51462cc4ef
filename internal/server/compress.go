package server

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"
	"github.com/valyala/fasthttp"
)

// encoding is a way to compress answers.
type encoding struct {
	name string
	pack func(src []byte) []byte
}

// encodings are those that the server can do, what it would rather do first. The
// levels are fast ones: compressing takes time from scripts.
var encodings = []encoding{
	{"zstd", func(src []byte) []byte { return zstdEncoder.EncodeAll(src, nil) }},
	{"br", func(src []byte) []byte { return packWith(&brotliWriters, src) }},
	{"gzip", func(src []byte) []byte { return packWith(&gzipWriters, src) }},
}

const (
	brotliLevel = 3
	gzipLevel   = 3
)

// packer is a writer that can be used again.
type packer interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// What compresses. Options and levels that are constant cannot be wrong.
var (
	zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
	brotliWriters  = sync.Pool{New: func() any { w, _ := brotli.NewWriter(nil, brotliLevel); return w }}
	gzipWriters    = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, gzipLevel); return w }}
)

// packWith compresses with a writer of a pool. Writing to memory cannot fail.
func packWith(pool *sync.Pool, src []byte) []byte {
	w, _ := pool.Get().(packer)
	defer pool.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	_, _ = w.Write(src)
	_ = w.Close()
	w.Reset(nil)
	return out.Bytes()
}

// compressible are the types of answers that are worth it: all that the server
// makes, but for modules. What comes in a stream is sent as it is, since each line
// is to arrive when it is there.
var compressible = [][]byte{
	[]byte(fiber.MIMEApplicationJSON), []byte(problemType), []byte(fiber.MIMETextPlain), []byte(fiber.MIMETextHTML),
	[]byte("application/openmetrics-text"), []byte("application/javascript"), []byte("text/css"), []byte(ndjson),
}

// compress compresses the answer, if it is large enough and the client can read
// that.
func (s *Server) compress(c *fiber.Ctx) {
	response := c.Response()
	least := s.settings.Load().HTTP.CompressBytes
	if least == 0 || response.IsBodyStream() {
		return
	}
	body := response.Body()
	if int64(len(body)) < least || len(response.Header.ContentEncoding()) > 0 || !isCompressible(response.Header.ContentType()) {
		return
	}
	response.Header.Add(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	chosen := chooseEncoding(c.Request().Header.PeekAll(fiber.HeaderAcceptEncoding))
	if chosen == nil || c.Method() == fiber.MethodHead {
		return
	}
	packed := chosen.pack(body)
	if len(packed) >= len(body) {
		return
	}
	response.Header.SetContentEncoding(chosen.name)
	weaken(response)
	response.SetBodyRaw(packed)
}

// weaken makes a strong entity tag a weak one: the bytes are others now.
func weaken(response *fasthttp.Response) {
	if tag := response.Header.Peek(fiber.HeaderETag); len(tag) > 0 && tag[0] == '"' {
		response.Header.Set(fiber.HeaderETag, "W/"+string(tag))
	}
}

func isCompressible(contentType []byte) bool {
	for _, media := range compressible {
		if bytes.HasPrefix(contentType, media) {
			return true
		}
	}
	return false
}

// chooseEncoding gives the encoding that the client likes best, of those that it
// likes as well the one that the server would rather do, or nil for none (RFC 9110,
// section 12.5.3).
func chooseEncoding(headers [][]byte) *encoding {
	var best *encoding
	bestWeight := 0
	identity := weightOf(headers, "identity", true)
	for i := range encodings {
		if weight := weightOf(headers, encodings[i].name, false); weight > bestWeight && weight >= identity {
			best, bestWeight = &encodings[i], weight
		}
	}
	return best
}

// weightOf is how much the client likes an encoding, in thousandths. Identity,
// where it is not named, is liked least of all that is liked.
func weightOf(headers [][]byte, name string, identity bool) int {
	weight := -1
	for _, header := range headers {
		for item := range strings.SplitSeq(string(header), ",") {
			coding, parameters, _ := strings.Cut(item, ";")
			coding = strings.TrimSpace(coding)
			switch {
			case strings.EqualFold(coding, name), name == "gzip" && strings.EqualFold(coding, "x-gzip"):
				return quality(parameters)
			case coding == "*" && !identity:
				weight = quality(parameters)
			}
		}
	}
	return max(0, weight)
}

// quality reads a weight, and takes what is none for nothing.
func quality(parameters string) int {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, found := strings.Cut(strings.TrimSpace(parameter), "=")
		if found && strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return int(q * 1000)
		}
	}
	return 1000
}
