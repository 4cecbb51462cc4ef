package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"
)

const hidden = "hunter2hunter2"

type credentials struct {
	User  string `json:"user"`
	Token string `json:"api_token"`
}

type lazy struct{}

func (lazy) LogValue() slog.Value { return slog.GroupValue(slog.String("client_secret", hidden)) }

// Whatever way a secret takes into the log, it is not in it, in either form; and
// what is no secret is.
func TestSecretsAreMasked(t *testing.T) {
	location, err := url.Parse("postgres://user:" + hidden + "@host/db")
	if err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]func(*slog.Logger){
		"attribute": func(l *slog.Logger) { l.Info("kept", "token", hidden) },
		"any case": func(l *slog.Logger) {
			l.Info("kept", "X-API-Key", hidden, "Proxy-Authorization", hidden, "setCookie", hidden)
		},
		"number":       func(l *slog.Logger) { l.Info("kept", "password", 22222222) },
		"inner group":  func(l *slog.Logger) { l.Info("kept", slog.Group("a", slog.Group("b", "db_password", hidden))) },
		"open group":   func(l *slog.Logger) { l.WithGroup("a").Info("kept", "passphrase", hidden) },
		"secret group": func(l *slog.Logger) { l.Info("kept", slog.Group("credentials", "password", hidden)) },
		"with":         func(l *slog.Logger) { l.With("cookie", hidden).Info("kept") },
		"log valuer":   func(l *slog.Logger) { l.Info("kept", "about", lazy{}) },
		"struct":       func(l *slog.Logger) { l.Info("kept", "about", credentials{"ana", hidden}) },
		"list":         func(l *slog.Logger) { l.Info("kept", "about", []credentials{{"ana", hidden}}) },
		"map": func(l *slog.Logger) {
			l.Info("kept", "about", map[string]any{"x": map[string]string{"secret": hidden}})
		},
		"bytes":   func(l *slog.Logger) { l.Info("kept", "signing_key", []byte(hidden)) },
		"message": func(l *slog.Logger) { l.Info("kept: password=" + hidden) },
		"error": func(l *slog.Logger) {
			l.Info("kept", "error", errors.New("cannot reach postgres://user:"+hidden+"@host/db"))
		},
		"wrapped error": func(l *slog.Logger) {
			l.Info("kept", "error", fmt.Errorf("asked: %w", errors.New("Authorization: Bearer "+hidden)))
		},
		"text":  func(l *slog.Logger) { l.Info("kept", "cause", `the header "authorization": "`+hidden+`" is wrong`) },
		"query": func(l *slog.Logger) { l.Info("kept", "cause", "GET /x?api_key="+hidden+"&y=1") },
		"texts": func(l *slog.Logger) {
			l.Info("kept", "faults", []string{"redis://:" + hidden + "@host", "token=" + hidden})
		},
		"stringer": func(l *slog.Logger) { l.Info("kept", "url", location) },
		"key file": func(l *slog.Logger) {
			l.Info("kept", "cause", "read -----BEGIN OPENSSH PRIVATE KEY-----\n"+hidden+"\n-----END OPENSSH PRIVATE KEY-----")
		},
	} {
		for _, text := range []bool{false, true} {
			var out bytes.Buffer
			log(New(&out, text, slog.LevelInfo))
			line := out.String()
			if strings.Contains(line, "hunter2") || strings.Contains(line, "aHVudGVyMm") || strings.Contains(line, "22222222") || !strings.Contains(line, "kept") || !strings.Contains(line, "redacted") {
				t.Errorf("%s: %s", name, line)
			}
			if !text && !json.Valid(out.Bytes()) {
				t.Errorf("%s is no JSON: %s", name, line)
			}
		}
	}
}

// What is no secret is written as it is.
func TestOthersAreKept(t *testing.T) {
	var ours, plain bytes.Buffer
	for _, l := range []*slog.Logger{New(&ours, false, slog.LevelInfo), slog.New(slog.NewJSONHandler(&plain, &slog.HandlerOptions{Level: slog.LevelInfo}))} {
		r := slog.NewRecord(time.Unix(0, 0), slog.LevelInfo, "request", 0)
		r.AddAttrs(slog.String("request_id", "a:b=c"), slog.Int("status", 200), slog.String("route", "/api/v1/commands/:name/execute"), slog.Duration("took", 5),
			slog.Any("error", errors.New("the script is wrong: line 3")), slog.Any("list", []string{"a", "b"}), slog.Any("nothing", nil), slog.Group("g", slog.Bool("x", true)))
		if err := l.With("a", 1).WithGroup("b").Handler().Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		l.Debug("not written")
	}
	if ours.String() != plain.String() {
		t.Errorf("%s, want %s", &ours, &plain)
	}
}

type work struct{ context.Context }

func (w work) Value(key any) any {
	if key == (Key{}) {
		return w
	}
	return w.Context.Value(key)
}

func (work) LogIDs() (request, execution, trace string) { return "r1", "", "t1" }

// The line has the identifiers of the work that it is about, each once.
func TestIdentifiers(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, false, slog.LevelInfo)
	l.InfoContext(work{t.Context()}, "one")
	l.InfoContext(work{t.Context()}, "two", "request_id", "r2")
	l.Info("three")
	var got []string
	for line := range strings.Lines(out.String()) {
		var members struct {
			Msg       string  `json:"msg"`
			Request   string  `json:"request_id"`
			Trace     string  `json:"trace_id"`
			Execution *string `json:"execution_id"`
		}
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
		if members.Execution != nil || strings.Count(line, "request_id") > 1 {
			t.Error(line)
		}
		got = append(got, members.Msg, members.Request, members.Trace)
	}
	if text := strings.Join(got, " "); text != "one r1 t1 two r2 t1 three  " {
		t.Errorf("%q", text)
	}
}

// A line without secrets costs no allocation more than without the mask.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("with the race detector, which short runs have, pools lose some of what they hold")
	}
	l := New(discard{}, false, slog.LevelInfo)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		l.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("request_id", "abc"), slog.String("route", "/a/:b"), slog.Int("status", 200))
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func FuzzMask(f *testing.F) {
	f.Add("password=" + hidden)
	f.Add("https://u:p@h")
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		New(&out, false, slog.LevelInfo).Info(text, "k", text, "token", text)
		if !json.Valid(out.Bytes()) {
			t.Errorf("%q", out.String())
		}
	})
}
