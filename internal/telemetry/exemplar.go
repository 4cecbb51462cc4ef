package telemetry

import (
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// exemplarLabel is what an exemplar calls the identifier of a request, and
	// maxExemplar what OpenMetrics allows for label and value together.
	exemplarLabel = "request_id"
	maxExemplar   = 128
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
	// next is when a bucket gets another exemplar, since began.
	next  []atomic.Int64
	began time.Time
}

func newSampled(o prometheus.Observer, bounds []float64) sampled {
	// A histogram of the library can do both.
	named := o.(prometheus.ExemplarObserver) //nolint:forcetypeassert // see above
	return sampled{observer: named, plain: o, bounds: bounds, next: make([]atomic.Int64, len(bounds)+1), began: time.Now()}
}

func (s *sampled) observe(took time.Duration, id string) {
	seconds := took.Seconds()
	bucket, _ := slices.BinarySearch(s.bounds, seconds)
	now := int64(time.Since(s.began))
	due := s.next[bucket].Load()
	if now < due || id == "" || utf8.RuneCountInString(id)+len(exemplarLabel) > maxExemplar || !s.next[bucket].CompareAndSwap(due, now+int64(exemplarPeriod)) {
		s.plain.Observe(seconds)
		return
	}
	s.observer.ObserveWithExemplar(seconds, prometheus.Labels{exemplarLabel: id})
}
