package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/idempotency"
)

const (
	headerIdempotencyKey = "Idempotency-Key"
	// headerReplayed says that an answer was given before.
	headerReplayed = "Idempotency-Replayed"
	// longestKey bounds the key of a client.
	longestKey = 255
)

// answerOnce answers a request that has a key only if it was not answered before, and
// sends the former answer otherwise. What has none goes on.
func (s *Server) answerOnce(c *fiber.Ctx, r *route) error {
	keys := c.Request().Header.PeekAll(headerIdempotencyKey)
	if len(keys) == 0 || r.action == "" && !r.computes {
		return s.handle(c, r)
	}
	key, err := idempotencyKey(keys)
	if err == nil && r.secret {
		err = badKey("an answer with a secret is kept nowhere, so that a request for one has no Idempotency-Key")
	}
	if err == nil && r.path == pathBatch && wantsMedia(c, ndjson) {
		err = badKey("an answer in lines cannot be sent again, so that a batch that asks for one has no Idempotency-Key")
	}
	if err != nil {
		return err
	}
	client := clientOf(c)
	answer, claim, err := s.keys.Claim(c.Context(), client, keyDigest(client, key), requestDigest(c))
	switch {
	case err != nil:
		return keyProblem(err)
	case answer != nil:
		return replay(c, answer)
	}
	return s.claimed(c, r, claim)
}

// claimed answers the request and keeps the answer. An answer that tells to try
// again gives the key up if nothing was begun; otherwise what is kept says that the
// outcome is not known, since a client that tries again would have it done twice.
func (s *Server) claimed(c *fiber.Ctx, r *route, claim *idempotency.Claim) error {
	ended := false
	defer func() {
		if !ended {
			s.settle(c, claim, uncertainAnswer(c, "by a defect of the server"))
		}
	}()
	err := s.handle(c, r)
	ended = true
	status, code := c.Response().StatusCode(), diag.Code("")
	if err != nil {
		p := s.asProblem(c, err)
		p.write(c, noteOf(c).id)
		status, code = p.status, p.code
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		s.settle(c, claim, uncertainAnswer(c, fmt.Sprintf("with status %d and the code %s", status, code)))
	default:
		s.keep(c, claim, answerOf(c))
	}
	return err
}

// settle ends a claim whose request has no answer that could be sent again: with
// one that says so, or by giving the key up if nothing was begun.
func (s *Server) settle(c *fiber.Ctx, claim *idempotency.Claim, uncertain *idempotency.Answer) {
	if noteOf(c).begun {
		s.keep(c, claim, uncertain)
	} else {
		claim.Release(c.Context())
	}
}

func (s *Server) keep(c *fiber.Ctx, claim *idempotency.Claim, a *idempotency.Answer) {
	if err := claim.Keep(c.Context(), a, lostAnswer(c)); err != nil {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "an answer to a request with an Idempotency-Key is not kept",
			slog.String("request_id", noteOf(c).id), slog.String("error", err.Error()))
	}
}

// idempotencyKey reads the key, which is a string of Structured Fields, or the
// same without quotes, as most clients send it.
func idempotencyKey(headers [][]byte) (string, error) {
	if len(headers) > 1 {
		return "", badKey("there is more than one Idempotency-Key")
	}
	key := strings.TrimSpace(string(headers[0]))
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if key == "" || len(key) > longestKey {
		return "", badKey("an Idempotency-Key has 1 to 255 characters")
	}
	for _, b := range []byte(key) {
		if b <= ' ' || b >= 0x7f || b == '"' || b == '\\' {
			return "", badKey("an Idempotency-Key has visible characters of ASCII, and neither quotes nor backslashes")
		}
	}
	return key, nil
}

func badKey(message string) error {
	return newProblem(http.StatusBadRequest, diag.BadKey, "%s", message)
}

// keyDigest is of a client's key.
func keyDigest(client, key string) idempotency.Digest {
	return sha256.Sum256([]byte(client + "\x00" + key))
}

// requestDigest is of all that makes a request the one it is.
func requestDigest(c *fiber.Ctx) idempotency.Digest {
	hash := sha256.New()
	header := &c.Request().Header
	for _, part := range [][]byte{header.Method(), header.RequestURI(), header.ContentType(), header.Peek(fiber.HeaderContentEncoding), header.Peek(fiber.HeaderAccept), c.BodyRaw()} {
		sum := sha256.Sum256(part)
		hash.Write(sum[:])
	}
	return idempotency.Digest(hash.Sum(nil))
}

func keyProblem(err error) error {
	var p *problem
	switch {
	case errors.Is(err, idempotency.ErrOther):
		return newProblem(http.StatusUnprocessableEntity, diag.KeyReused, "the Idempotency-Key came before with another request")
	case errors.Is(err, idempotency.ErrUncertain):
		return newProblem(http.StatusConflict, diag.KeyUncertain, "a request with this Idempotency-Key came before, and %v", err)
	case errors.Is(err, idempotency.ErrBusy):
		p = newProblem(http.StatusConflict, diag.KeyBusy, "a request with this Idempotency-Key is being answered")
	case errors.Is(err, idempotency.ErrFull):
		p = newProblem(http.StatusServiceUnavailable, diag.NoCapacity, "no capacity: %v", err)
	default:
		p = newProblem(http.StatusServiceUnavailable, diag.StoreUnavailable, "it cannot be known now whether the request with this Idempotency-Key was answered; nothing was done")
	}
	p.cause, p.retryAfterS = err, 1
	return p
}

// keptHeaders are those that belong to an answer, other than to the exchange.
var keptHeaders = []string{fiber.HeaderContentType, fiber.HeaderLocation, fiber.HeaderETag, fiber.HeaderWWWAuthenticate, api.HeaderExecution}

// answerOf copies the answer that was made.
func answerOf(c *fiber.Ctx) *idempotency.Answer {
	response := c.Response()
	a := &idempotency.Answer{Status: response.StatusCode(), Body: bytes.Clone(response.Body())}
	for _, name := range keptHeaders {
		if value := response.Header.Peek(name); len(value) > 0 && hasBody(a.Status) {
			a.Header = append(a.Header, idempotency.Header{Name: name, Value: string(value)})
		}
	}
	return a
}

// lostAnswer is what is kept instead of an answer that is too large: that the
// request was answered.
func lostAnswer(c *fiber.Ctx) *idempotency.Answer {
	return keptProblem(c, newProblem(http.StatusConflict, diag.Conflict,
		"the request with this Idempotency-Key was answered with status %d before; the answer was too large to be kept", c.Response().StatusCode()))
}

// uncertainAnswer is what is kept of a request that was begun and ended in a way
// that does not tell what it has done.
func uncertainAnswer(c *fiber.Ctx, how string) *idempotency.Answer {
	return keptProblem(c, newProblem(http.StatusConflict, diag.KeyUncertain,
		"the request with this Idempotency-Key was begun before and ended %s; it is not known what it has done", how))
}

func keptProblem(c *fiber.Ctx, p *problem) *idempotency.Answer {
	a := &idempotency.Answer{Status: p.status, Header: []idempotency.Header{{Name: fiber.HeaderContentType, Value: problemType}}, Body: p.encode(noteOf(c).id)}
	if id := c.Response().Header.Peek(api.HeaderExecution); len(id) > 0 {
		a.Header = append(a.Header, idempotency.Header{Name: api.HeaderExecution, Value: string(id)})
	}
	return a
}

// replay sends an answer again.
func replay(c *fiber.Ctx, a *idempotency.Answer) error {
	response := c.Response()
	response.SetStatusCode(a.Status)
	if !hasBody(a.Status) {
		response.Header.SetNoDefaultContentType(true)
	}
	for _, h := range a.Header {
		response.Header.Set(h.Name, h.Value)
	}
	response.Header.Set(headerReplayed, "true")
	response.SetBodyRaw(a.Body)
	return nil
}
