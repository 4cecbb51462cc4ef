package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/gofiber/fiber/v2"

	"github.com/avapd/avapd/internal/config"
	"github.com/avapd/avapd/internal/server"
)

// serveEcho is what requests are compared with: a Fiber server with the
// settings of ours, for the collector as well, whose handler reads the JSON of the same body and writes
// JSON of the same shape. It has no other work.
func serveEcho(in io.Reader, out io.Writer) error {
	settings := config.Default()
	server.CollectSeldom(settings, os.Environ())
	app := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		CaseSensitive:         true,
		StrictRouting:         true,
		BodyLimit:             int(settings.HTTP.BodyLimitBytes),
		ReadBufferSize:        int(settings.HTTP.HeaderLimitBytes),
		Concurrency:           int(settings.HTTP.Connections),
		ReadTimeout:           settings.ReadTimeout(),
		WriteTimeout:          settings.WriteTimeout(),
		IdleTimeout:           settings.IdleTimeout(),
	})
	app.Post("/echo", echo)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- app.Listener(listener) }()
	// The input ends with the parent.
	_, _ = io.Copy(io.Discard, in)
	if err := app.Shutdown(); err != nil {
		return err
	}
	return <-served
}

func echo(c *fiber.Ctx) error {
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
}
