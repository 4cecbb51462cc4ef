package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/server"
)

// window is how long one side is loaded in one round.
const window = 300 * time.Millisecond

// http compares the whole request path with a plain Fiber handler that parses
// the same body and writes a JSON answer of the same size. The load generator
// shares the process and the CPUs with both, which the ratio survives.
func (b *bench) http() error {
	product, stop, err := b.serveProduct()
	if err != nil {
		return err
	}
	defer stop()
	plain, stopPlain, err := servePlain()
	if err != nil {
		return err
	}
	defer stopPlain()
	body, err := json.Marshal(map[string]any{"script": smallScript, "name": "Ana", "variables": map[string]any{"level": 3}})
	if err != nil {
		return err
	}
	b.heading("five-line script over HTTP", "execute req/s", "p50", "p99", "Fiber echo req/s", "p50", "p99", "execute / echo")
	for _, connections := range []int{1, 16, 64} {
		var ours, theirs []load
		for range b.rounds {
			for _, side := range []struct {
				url  string
				into *[]load
			}{{product + "/api/v1/execute", &ours}, {plain + "/echo", &theirs}} {
				l, err := generate(side.url, body, connections)
				if err != nil {
					return err
				}
				*side.into = append(*side.into, l)
			}
		}
		o, t := medianLoad(ours), medianLoad(theirs)
		b.row(fmt.Sprintf("%d connections", connections), int(o.rate), o.p50, o.p99, int(t.rate), t.p50, t.p99, o.rate/t.rate)
	}
	return nil
}

func (b *bench) serveProduct() (url string, stop func(), err error) {
	s := server.New(server.Options{Config: config.Default(), Engine: b.engine, Log: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() { _ = s.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = s.Shutdown(context.Background()) }, nil
}

func servePlain() (url string, stop func(), err error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/echo", func(c *fiber.Ctx) error {
		var in struct {
			Script, Name string
			Variables    map[string]any
		}
		if err := json.Unmarshal(c.BodyRaw(), &in); err != nil {
			return err
		}
		return c.JSON(fiber.Map{
			"success": true, "result": fiber.Map{"text": "Hello, " + in.Name + "!"},
			"variables": in.Variables, "logs": []any{},
		})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() { _ = app.Listener(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = app.Shutdown() }, nil
}

type load struct {
	rate     float64
	p50, p99 time.Duration
}

// generate posts the body over a number of connections, each one request after
// the other, for one window.
func generate(url string, body []byte, connections int) (load, error) {
	client := &fasthttp.Client{MaxConnsPerHost: connections}
	defer client.CloseIdleConnections()
	var (
		group sync.WaitGroup
		mutex sync.Mutex
		times []time.Duration
		fault error
	)
	began := time.Now()
	for range connections {
		group.Go(func() {
			mine, err := worker(client, url, body, began.Add(window))
			mutex.Lock()
			defer mutex.Unlock()
			times = append(times, mine...)
			if err != nil {
				fault = err
			}
		})
	}
	group.Wait()
	if fault != nil {
		return load{}, fault
	}
	rate := float64(len(times)) / time.Since(began).Seconds()
	return load{rate, quantile(times, 0.5), quantile(times, 0.99)}, nil
}

func worker(client *fasthttp.Client, url string, body []byte, until time.Time) ([]time.Duration, error) {
	var times []time.Duration
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	for time.Now().Before(until) {
		request.Reset()
		request.SetRequestURI(url)
		request.Header.SetMethod(fasthttp.MethodPost)
		request.Header.SetContentType("application/json")
		request.SetBodyRaw(body)
		began := time.Now()
		if err := client.Do(request, response); err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
		if response.StatusCode() != fasthttp.StatusOK || !bytes.Contains(response.Body(), []byte("Hello, Ana!")) {
			return nil, fmt.Errorf("%s answered %d: %s", url, response.StatusCode(), response.Body())
		}
	}
	return times, nil
}

// medianLoad takes the median of each figure over the rounds.
func medianLoad(loads []load) load {
	var rates, p50s, p99s []time.Duration
	for _, l := range loads {
		rates = append(rates, time.Duration(l.rate))
		p50s = append(p50s, l.p50)
		p99s = append(p99s, l.p99)
	}
	return load{float64(quantile(rates, 0.5)), quantile(p50s, 0.5), quantile(p99s, 0.5)}
}
