package telemetry

import (
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// requestLabel and traceLabel are what an exemplar calls the identifiers of a
	// request and its trace, and maxExemplar what OpenMetrics allows for labels and
	// values together.
	requestLabel = "request_id"
	traceLabel   = "trace_id"
	maxExemplar  = 128
	// exemplarPeriod is between two exemplars of a bucket. An exemplar allocates,
	// and nobody looks at more of them.
	exemplarPeriod = time.Second
)

// sampled is a histogram of times that names a request for each of its buckets
// from time to time.
type sampled struct {
	observer prometheus.ExemplarObserver
	plain    prometheus.Observer
	bounds   []float64
	// next is when a bucket gets another exemplar, in nanoseconds as Unix counts.
	next []atomic.Int64
}

func newSampled(o prometheus.Observer, bounds []float64) sampled {
	// A histogram of the library can do both.
	named := o.(prometheus.ExemplarObserver) //nolint:forcetypeassert // see above
	return sampled{observer: named, plain: o, bounds: bounds, next: make([]atomic.Int64, len(bounds)+1)}
}

func (s *sampled) observe(took time.Duration, n Names) {
	seconds := took.Seconds()
	bucket, _ := slices.BinarySearch(s.bounds, seconds)
	now, due := n.At.UnixNano(), s.next[bucket].Load()
	if now < due || n.Request+n.Trace == "" || !s.next[bucket].CompareAndSwap(due, now+int64(exemplarPeriod)) {
		s.plain.Observe(seconds)
		return
	}
	if labels := n.labels(); labels != nil {
		s.observer.ObserveWithExemplar(seconds, labels)
		return
	}
	s.plain.Observe(seconds)
}

// Names are what a request can be found by: its identifier, and that of its
// trace, if there is one; and when it was over.
type Names struct {
	Request, Trace string
	At             time.Time
}

// labels are those of an exemplar, as many as it may have. The trace comes first:
// it has the other name in it.
func (n Names) labels() prometheus.Labels {
	labels, left := prometheus.Labels{}, maxExemplar
	for _, label := range [...][2]string{{traceLabel, n.Trace}, {requestLabel, n.Request}} {
		size := utf8.RuneCountInString(label[1])
		if size > 0 && size+len(label[0]) <= left {
			labels[label[0]] = label[1]
			left -= size + len(label[0])
		}
	}
	if len(labels) == 0 {
		return nil
	}
	return labels
}
