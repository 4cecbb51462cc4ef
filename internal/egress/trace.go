package egress

import (
	"context"
	"net/http"
	"strconv"

	"github.com/avapd/avapd/internal/tracing"
)

// names of kinds, as spans have them.
var kindNames = map[Kind]string{
	KindInvalid: "invalid", KindRefused: "refused", KindTooLarge: "too_large", KindTimeout: tracing.FailureOfADeadline,
	KindCanceled: tracing.FailureOfCancelling, KindTooManyRedirects: "too_many_redirects", KindNetwork: "network",
}

// beginSpan begins the span of one round trip. It has the server's name and no
// more of the URL: paths and queries hold keys of all sorts.
func (x *exchange) beginSpan(ctx context.Context) *tracing.Span {
	span := tracing.From(ctx).Child(x.method, tracing.Client)
	if span == nil {
		return nil
	}
	span.Text(tracing.HTTPMethod, x.method)
	span.Text(tracing.URLScheme, x.url.Scheme)
	span.Text(tracing.ServerAddress, x.url.Hostname())
	span.Number(tracing.ServerPort, int64(portOf(x.url)))
	if x.redirects > 0 {
		span.Number(tracing.HTTPResends, int64(x.redirects))
	}
	return span
}

func (x *exchange) endSpan(ctx context.Context, span *tracing.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		kind, _ := classify(ctx, err)
		span.Fail(kindNames[kind])
	}
	span.End()
}

// failStatus marks a round trip whose answer is an error of either side, as the
// semantic conventions have it for clients.
func failStatus(span *tracing.Span, status int) {
	if status >= http.StatusBadRequest {
		span.Fail(strconv.Itoa(status))
	}
}

// propagate tells the server which trace its part belongs to, unless the script
// says something about that itself.
func propagate(span *tracing.Span, header http.Header) {
	if span == nil || header.Get(tracing.HeaderParent) != "" {
		return
	}
	h := span.Headers()
	if h.Parent == "" {
		return
	}
	header.Set(tracing.HeaderParent, h.Parent)
	header.Del(tracing.HeaderState)
	if h.State != "" {
		header.Set(tracing.HeaderState, h.State)
	}
}
