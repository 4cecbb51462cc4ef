// Package load makes HTTP requests at a server and measures how long they
// take: as fast as a number of connections can (closed loop), or at a given
// rate (open loop).
//
// It parses no more of an answer than it must, so that the server is the
// bottleneck and not this.
package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is a load to make.
type Plan struct {
	Address string
	// Requests are whole requests as they go over the wire. They are sent in
	// turn; with Once, each is sent a single time and the load ends after the last.
	Requests [][]byte
	Once     bool
	// Expect is in the body of every answer; with Any, a refusal is an answer too,
	// and counted.
	Expect string
	Any    bool
	// From is the local address to connect from, which tells clients apart.
	From        string
	Connections int
	Duration    time.Duration
	// Poll has connections ask for answers over and over. To
	// wake who sleeps on another core takes a server on the same machine about as
	// long as the rest of its answer, and only a slow one finds anybody asleep.
	// Whoever loads a server that way needs a core of his own.
	Poll bool
	// Rate is requests per second that are due however the server does, spaced
	// evenly; 0 for a closed loop. The time of a request counts from when it was
	// due.
	Rate float64
}

// Outcome is what a load showed.
type Outcome struct {
	Requests int
	// Refused are those of the requests that were.
	Refused int
	// Rate is answers per second.
	Rate          float64
	P50, P95, P99 time.Duration
	// Times are those of all answers.
	Times Histogram
	// Late says that an open loop fell so far behind that it was ended.
	Late bool
}

// Post makes a request.
func Post(path string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// Get makes a request without a body.
func Get(path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
}

// run is one load on its way.
type run struct {
	plan  Plan
	next  atomic.Int64
	began time.Time
	due   chan time.Time // of an open loop
	late  atomic.Bool
	// refused counts with Plan.Any.
	refused atomic.Int64

	mu    sync.Mutex
	times []time.Duration
	err   error
}

// Run makes the load.
func Run(plan Plan) (Outcome, error) {
	r := &run{plan: plan}
	connections, err := r.connect()
	if err != nil {
		return Outcome{}, err
	}
	defer func() {
		for _, c := range connections {
			_ = c.Close()
		}
	}()
	if plan.Rate > 0 {
		// What waits is at most a second's worth; then the server is too slow.
		r.due = make(chan time.Time, int(plan.Rate)+1)
	}
	var group sync.WaitGroup
	r.began = time.Now()
	for _, c := range connections {
		group.Go(func() { r.done(r.work(c)) })
	}
	if plan.Rate > 0 && !r.pace() {
		r.late.Store(true)
		for _, c := range connections {
			_ = c.Close() // ends what waits for an answer
		}
	}
	group.Wait()
	took := time.Since(r.began)
	if r.err != nil {
		return Outcome{}, r.err
	}
	slices.Sort(r.times)
	all := Histogram{}
	for _, t := range r.times {
		all.count(t)
	}
	return Outcome{
		Times: all, Refused: int(r.refused.Load()), Requests: len(r.times), Rate: float64(len(r.times)) / took.Seconds(), Late: r.late.Load(),
		P50: Quantile(r.times, 0.5), P95: Quantile(r.times, 0.95), P99: Quantile(r.times, 0.99),
	}, nil
}

func (p *Plan) dial() (net.Conn, error) {
	dialer := net.Dialer{}
	if p.From != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(p.From)}
	}
	return dialer.Dial("tcp", p.Address)
}

func (r *run) connect() ([]net.Conn, error) {
	var connections []net.Conn
	for range r.plan.Connections {
		c, err := r.plan.dial()
		if err != nil {
			return connections, fmt.Errorf("load: %w", err)
		}
		connections = append(connections, c)
	}
	return connections, nil
}

func (r *run) done(times []time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times = append(r.times, times...)
	if err != nil && r.err == nil && !r.late.Load() {
		r.err = err
	}
}

// pace says when requests are due, until the time is up. It reports whether
// the connections kept up.
func (r *run) pace() bool {
	defer close(r.due)
	spacing := time.Duration(float64(time.Second) / r.plan.Rate)
	for at := r.began; at.Before(r.began.Add(r.plan.Duration)); at = at.Add(spacing) {
		time.Sleep(time.Until(at))
		select {
		case r.due <- at:
		default:
			return false
		}
	}
	return true
}

// work is what one connection does.
func (r *run) work(c net.Conn) ([]time.Duration, error) {
	var in io.Reader = c
	if r.plan.Poll {
		var err error
		if in, err = poll(c); err != nil {
			return nil, err
		}
	}
	reader := bufio.NewReaderSize(in, 64<<10)
	expect := []byte(r.plan.Expect)
	times := make([]time.Duration, 0, 4096)
	for {
		request, due, ok := r.take()
		if !ok {
			return times, nil
		}
		if _, err := c.Write(request); err != nil {
			return times, fmt.Errorf("load: %w", err)
		}
		refused, err := readAnswer(reader, expect)
		switch {
		case err != nil:
			return times, fmt.Errorf("load: %w", err)
		case refused != "" && !r.plan.Any:
			return times, fmt.Errorf("load: %s", refused)
		case refused != "":
			r.refused.Add(1)
		}
		times = append(times, time.Since(due))
	}
}

// take gives the next request and when it was due.
func (r *run) take() (request []byte, due time.Time, ok bool) {
	if r.due != nil {
		if due, ok = <-r.due; !ok {
			return nil, due, false
		}
	} else {
		due = time.Now()
		if !r.plan.Once && due.Sub(r.began) >= r.plan.Duration {
			return nil, due, false
		}
	}
	n := int(r.next.Add(1) - 1)
	if r.plan.Once && n >= len(r.plan.Requests) {
		return nil, due, false
	}
	return r.plan.Requests[n%len(r.plan.Requests)], due, true
}

// readAnswer reads one answer with a length, and gives the beginning of one that
// is a refusal.
func readAnswer(reader *bufio.Reader, expect []byte) (refused string, err error) {
	length, status := -1, ""
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return "", fmt.Errorf("read an answer: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if first {
			if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
				status = string(line)
			}
		} else if n, ok := contentLength(line); ok {
			length = n
		}
	}
	if length < 0 {
		return "", errors.New("an answer without a length")
	}
	// What is too long for the buffer is not looked at as a whole.
	body, err := reader.Peek(min(length, reader.Size()))
	if err != nil {
		return "", fmt.Errorf("read an answer: %w", err)
	}
	beginning := body[:min(len(body), 1000)]
	switch {
	case status != "":
		refused = fmt.Sprintf("%s: %s", status, beginning)
	case length <= reader.Size() && !bytes.Contains(body, expect):
		return "", fmt.Errorf("an answer without %q: %s", expect, beginning)
	}
	_, err = reader.Discard(length)
	return refused, err
}

func contentLength(line []byte) (int, bool) {
	const name = "Content-Length: "
	if len(line) <= len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return 0, false
	}
	n := 0
	for _, digit := range line[len(name):] {
		n = n*10 + int(digit-'0')
	}
	return n, true
}

// Quantile is a value of sorted times.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
