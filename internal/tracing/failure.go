package tracing

import (
	"context"
	"errors"
	"net"
)

// FailWith notes an error as the kind of failure that it is, nil as none.
func (s *Span) FailWith(err error) {
	if err == nil || !s.Recording() {
		return
	}
	kind := FailureOfAnyOther
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		kind = FailureOfCancelling
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout():
		kind = FailureOfADeadline
	}
	s.Fail(kind)
}
