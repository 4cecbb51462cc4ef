package server

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/ratelimit"
)

// Headers of draft-ietf-httpapi-ratelimit-headers.
const (
	headerRateLimit       = "RateLimit"
	headerRateLimitPolicy = "RateLimit-Policy"
)

// rateClass is a kind of requests that is counted apart.
type rateClass int

const (
	classAddress rateClass = iota
	classClient
	classExecute
	classChange
	classRead
	rateClasses
)

// names are those of policies in headers, of settings and of keys.
func (r rateClass) name() string {
	return [...]string{"address", "client", "execute", "change", "read"}[r]
}

// rates are those that hold now.
type rates struct {
	of [rateClasses]ratelimit.Rate
	// policies are the items of the header.
	policies [rateClasses]string
}

// newRates gives nil where nothing is limited. The texts were checked when the
// settings were read.
func newRates(c *config.Config) *rates {
	r, limited := new(rates), false
	for class, text := range [...]string{c.Rates.Address, c.Rates.Client, c.Rates.Execute, c.Rates.Change, c.Rates.Read} {
		rate, err := ratelimit.ParseRate(text)
		if err != nil || !rate.Limits() {
			continue
		}
		limited = true
		r.of[class] = rate
		r.policies[class] = policyItem(headerRateLimitPolicy, rateClass(class), rate.Burst, rate.WindowSeconds())
	}
	if !limited {
		return nil
	}
	return r
}

// policyItem is an item of one of the headers: of a policy its quota and window,
// of a limit what remains and when it is whole again.
func policyItem(header string, class rateClass, amount, seconds int64) string {
	letters := [2]string{`";r=`, ";t="}
	if header == headerRateLimitPolicy {
		letters = [2]string{`";q=`, ";w="}
	}
	return `"` + class.name() + letters[0] + strconv.FormatInt(amount, 10) + letters[1] + strconv.FormatInt(seconds, 10)
}

// rate counts a request for its address and its client. Probes count for nobody.
func (s *Server) rate(c *fiber.Ctx) error {
	r := s.rates.Load()
	if r == nil || s.probes[c.Path()] {
		return c.Next()
	}
	if err := s.take(c, r, classAddress); err != nil {
		return err
	}
	if err := s.take(c, r, classClient); err != nil {
		return err
	}
	return c.Next()
}

// rateRoute counts a request for its client and the kind of its route.
func (s *Server) rateRoute(c *fiber.Ctx, class rateClass) error {
	if r := s.rates.Load(); r != nil {
		return s.take(c, r, class)
	}
	return nil
}

// class is that of the route.
func (r *route) class() rateClass {
	switch {
	case r.computes:
		return classExecute
	case r.action != "":
		return classChange
	}
	return classRead
}

// take counts a request and tells the client how it stands.
func (s *Server) take(c *fiber.Ctx, r *rates, class rateClass) error {
	rate := r.of[class]
	if !rate.Limits() {
		return nil
	}
	who := clientOf(c)
	if class == classAddress {
		who = noteOf(c).network
	}
	key := append(append(make([]byte, 0, 64), class.name()...), ':')
	d := s.limiter.Take(c.Context(), append(key, who...), rate)
	header := &c.Response().Header
	appendItem(header, headerRateLimitPolicy, r.policies[class])
	appendItem(header, headerRateLimit, policyItem(headerRateLimit, class, d.Remaining, d.ResetSeconds()))
	if d.Allowed {
		return nil
	}
	whose := "client"
	if class == classAddress {
		whose = "address"
	}
	text, _, _ := strings.Cut(rate.String(), ":")
	p := newProblem(http.StatusTooManyRequests, diag.RateLimited, "too many requests of this %s: %s and %d at once, which is rates.%s", whose, text, rate.Burst, class.name())
	p.retryAfterS = d.RetrySeconds()
	return p
}

// appendItem adds an item to a list in a header.
func appendItem(header *fasthttp.ResponseHeader, name, item string) {
	if before := header.Peek(name); len(before) > 0 {
		item = string(before) + ", " + item
	}
	header.Set(name, item)
}
