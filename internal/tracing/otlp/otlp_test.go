package otlp

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/avapd/avapd/internal/testservices"
	"github.com/avapd/avapd/internal/tracing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, o Options, log *bytes.Buffer) *Exporter {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	e, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What ended before Close arrives, with bounded attributes, and is counted.
func TestCloseSendsTheRest(t *testing.T) {
	collector := testservices.StartCollector(t)
	for _, o := range []Options{
		{Endpoint: collector.URL(), PerMillion: 1_000_000, Version: "1.2.3", Headers: map[string]string{"x-key": "value"}},
		{Endpoint: collector.HTTP(), HTTP: true, PerMillion: 1_000_000, Version: "1.2.3", Headers: map[string]string{"x-key": "value"}},
	} {
		var log bytes.Buffer
		e := open(t, o, &log)
		s := e.Tracer().Request(tracing.Headers{})
		s.Name("work")
		s.Text(tracing.Command, strings.Repeat("x", 10*256))
		s.End()
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := collector.Trace(t, s.TraceID(), func(list []testservices.Span) bool { return len(list) == 1 })[0]
		if got.Name != "work" || len(got.Attributes[string(tracing.Command)]) != 256 || got.Resource["service.version"] != "1.2.3" {
			t.Errorf("%+v", got)
		}
		if stats := e.Stats(); stats != (Stats{Recorded: 1, Exported: 1}) || log.Len() > 0 {
			t.Errorf("%+v, %s", stats, &log)
		}
	}
	for _, h := range collector.Headers() {
		if h.Get("X-Key") != "value" {
			t.Errorf("%v", h)
		}
	}
}

// How many requests are recorded is decided once for a trace, and the caller's
// decision counts only where it may.
func TestSampling(t *testing.T) {
	collector := testservices.StartCollector(t)
	const sampled, not = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	for _, c := range []struct {
		perMillion  int64
		parentBased bool
		parent      string
		want        bool
	}{
		{0, true, "", false},
		{0, true, sampled, true},
		{0, false, sampled, false},
		{1_000_000, true, "", true},
		{1_000_000, true, not, false},
		{1_000_000, false, not, true},
	} {
		var log bytes.Buffer
		e := open(t, Options{Endpoint: collector.URL(), PerMillion: c.perMillion, ParentBased: c.parentBased}, &log)
		s := e.Tracer().Request(tracing.Headers{Parent: c.parent})
		if s.Recording() != c.want {
			t.Errorf("%+v: %v", c, s.Recording())
		}
		s.End()
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := e.Stats().Recorded == 1; got != c.want {
			t.Errorf("%+v: %+v", c, e.Stats())
		}
	}
}

// A collector that is not there costs spans and a line of log.
func TestNoCollector(t *testing.T) {
	var log bytes.Buffer
	e := open(t, Options{Endpoint: "http://127.0.0.1:1", HTTP: true, PerMillion: 1_000_000}, &log)
	e.Tracer().Request(tracing.Headers{}).End()
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := e.Stats(); got != (Stats{Recorded: 1, Failed: 1}) || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%+v: %s", got, &log)
	}
}

// One that does not answer costs no more time than Close is given.
func TestSilentCollector(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := silent.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	var log bytes.Buffer
	e := open(t, Options{Endpoint: "http://" + silent.Addr().String(), HTTP: true, PerMillion: 1_000_000}, &log)
	e.Tracer().Request(tracing.Headers{}).End()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.Close(ctx); err == nil {
		t.Error("nothing is said of the spans that are lost")
	}
	for _, c := range []io.Closer{silent, <-accepted} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What ended before the target changed goes to the former one, what ends later to
// the new one, and nothing is lost, also if it changes again at once.
func TestUse(t *testing.T) {
	first, second := testservices.StartCollector(t), testservices.StartCollector(t)
	var log bytes.Buffer
	e := open(t, Options{Endpoint: first.URL(), PerMillion: 1_000_000}, &log)
	use := func(o Options) {
		t.Helper()
		target, err := Prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		e.Use(target)
	}
	early := e.Tracer().Request(tracing.Headers{})
	under := e.Tracer().Request(tracing.Headers{})
	early.End()
	use(Options{Endpoint: second.URL(), PerMillion: 1_000_000})
	use(Options{Endpoint: second.HTTP(), HTTP: true, PerMillion: 1_000_000})
	under.End()
	late := e.Tracer().Request(tracing.Headers{})
	late.End()
	use(Options{})
	if e.Tracer().Request(tracing.Headers{}) != nil {
		t.Error("it traces without an endpoint")
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	one := func(list []testservices.Span) bool { return len(list) == 1 }
	first.Trace(t, early.TraceID(), one)
	second.Trace(t, under.TraceID(), one)
	second.Trace(t, late.TraceID(), one)
	if got := e.Stats(); got != (Stats{Recorded: 3, Exported: 3}) || log.Len() > 0 {
		t.Errorf("%+v, %s", got, &log)
	}
}
