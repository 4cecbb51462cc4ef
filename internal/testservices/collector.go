package testservices

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Collector takes spans by OTLP, over gRPC and HTTP.
type Collector struct {
	collector.UnimplementedTraceServiceServer

	grpc, http string

	mu      sync.Mutex
	spans   []Span
	headers []http.Header
	news    chan struct{} // closed when something comes
}

// Span is what a collector was told of one.
type Span struct {
	Name, Trace, ID, Parent string
	State                   string
	Kind                    string
	Failed                  bool
	Took                    time.Duration
	// Attributes are those of the span, and Resource those of who sent it.
	Attributes, Resource map[string]string
}

// StartCollector starts one that ends with the test.
func StartCollector(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{news: make(chan struct{})}
	listener := listenLocal(t)
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	c.grpc = "http://" + listener.Addr().String()
	web := listenLocal(t)
	c.http = "http://" + web.Addr().String()
	overHTTP := &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	serving.Go(func() {
		if err := overHTTP.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		if err := overHTTP.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return c
}

func listenLocal(t testing.TB) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// URL is where spans are taken by gRPC, and HTTP where by HTTP.
func (c *Collector) URL() string { return c.grpc }

// HTTP is where spans are taken by HTTP.
func (c *Collector) HTTP() string { return c.http }

// Export implements the service of gRPC.
func (c *Collector) Export(ctx context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	header := http.Header{}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for name, values := range md {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	c.take(request, header)
	return &collector.ExportTraceServiceResponse{}, nil
}

// ServeHTTP takes spans by HTTP.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := new(collector.ExportTraceServiceRequest)
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, request) != nil {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	c.take(request, r.Header)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *Collector) take(request *collector.ExportTraceServiceRequest, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = append(c.headers, header)
	for _, from := range request.GetResourceSpans() {
		resource := attributesOf(from.GetResource().GetAttributes())
		for _, scope := range from.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, spanOf(s, resource))
			}
		}
	}
	close(c.news)
	c.news = make(chan struct{})
}

func spanOf(s *trace.Span, resource map[string]string) Span {
	return Span{
		Name: s.GetName(), Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		State: s.GetTraceState(), Kind: strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_")),
		Failed: s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR, Took: time.Duration(s.GetEndTimeUnixNano() - s.GetStartTimeUnixNano()),
		Attributes: attributesOf(s.GetAttributes()), Resource: resource,
	}
}

func attributesOf(list []*common.KeyValue) map[string]string {
	attributes := make(map[string]string, len(list))
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			attributes[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			attributes[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		default:
			attributes[a.GetKey()] = fmt.Sprint(v)
		}
	}
	return attributes
}

// Trace gives the spans of a trace when there are some that will do. It fails
// the test if they do not come.
func (c *Collector) Trace(t testing.TB, id string, enough func([]Span) bool) []Span {
	t.Helper()
	late := time.NewTimer(startTimeout)
	defer late.Stop()
	for {
		c.mu.Lock()
		var spans []Span
		for _, s := range c.spans {
			if s.Trace == id {
				spans = append(spans, s)
			}
		}
		news := c.news
		c.mu.Unlock()
		if enough(spans) {
			return spans
		}
		select {
		case <-news:
		case <-late.C:
			t.Fatalf("the spans of %s that came are %+v", id, spans)
		}
	}
}

// Spans are all that came.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Headers are those of the requests that came.
func (c *Collector) Headers() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]http.Header(nil), c.headers...)
}
