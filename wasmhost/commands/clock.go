package commands

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/avapd/avapd/internal/randomtext"
	"github.com/avapd/avapd/wasmhost"
)

// timeNow gives the Unix time in seconds.
func (s *Set) timeNow(c *wasmhost.Call) error {
	return c.Return(float64(s.config.Now().UnixMicro()) / float64(time.Second/time.Microsecond))
}

const (
	// maxRandomBytes bounds a random text. Making it is work that cannot be
	// interrupted.
	maxRandomBytes = 1 << 20
	// randomFuelPerByte is the price of a byte from the cryptographic source.
	randomFuelPerByte = 2
)

// randomString takes a class, which may be left out, and a number.
func (s *Set) randomString(c *wasmhost.Call) error {
	class := ""
	if c.Given(0) {
		v, err := c.Value(0)
		if err != nil {
			return err
		}
		class = wasmhost.TextOf(v)
	}
	v, err := c.Value(1)
	if err != nil {
		return err
	}
	n, ok := wholeNumber(v)
	if !ok {
		return wasmhost.Mistaken(errors.New("not a number: " + wasmhost.TextOf(v)))
	}
	text, err := randomtext.Generate(class, n, int(min(maxRandomBytes, c.MemoryLeft())))
	if err != nil {
		return wasmhost.Mistaken(err)
	}
	c.Charge(int64(len(text)) * randomFuelPerByte)
	return c.Return(text)
}

// wholeNumber reads a numeric argument: an int, a whole float, or text of one.
func wholeNumber(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		return int(v), true
	case float64:
		return int(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case string:
		n, err := strconv.Atoi(strings.TrimSpace(v))
		return n, err == nil
	}
	return 0, false
}
