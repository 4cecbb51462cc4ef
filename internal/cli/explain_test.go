//go:build unix

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/diag"
)

// withoutExample are the codes that no short text shows, by the reason.
var withoutExample = map[diag.Code]string{
	diag.BadEncoding:     "is no text",
	diag.NestingTooDeep:  "takes hundreds of brackets",
	diag.MisplacedImport: "needs a script to import",
	diag.TooManyErrors:   "takes many errors",
	diag.TooComplex:      "takes a large script",
	diag.ScriptError:     "is what has no code of its own",
	diag.HostFailure:     "needs a service that fails",
	diag.Forbidden:       "needs a service, or a route that stores",
	diag.SourceTooLarge:  "takes a large script",
	diag.Cancelled:       "needs a caller that goes away",
	diag.RequestTooLarge: "takes a large request",
	diag.NoCapacity:      "needs a busy server",
	diag.MemoryBusy:      "needs a busy server",
	diag.TooManyRequests: "needs a busy client",
	diag.Unauthorized:    "needs a route that stores",
	diag.Conflict:        "needs a route that stores",
	diag.SlowRequest:     "needs a slow caller",
	diag.HeadersTooLarge: "takes a large request",
	diag.ModuleMalformed: "is about a module",
	diag.ModuleInvalid:   "is about a module",
	diag.ModuleFeature:   "is about a module",
	diag.ModuleLimit:     "is about a module",
	diag.ModuleImport:    "is about a module",
	diag.ModuleExport:    "is about a module",
	diag.ModuleManifest:  "is about a module",

	diag.NotSigned:          "is about a module",
	diag.SignerUnknown:      "is about a module",
	diag.SignatureInvalid:   "is about a module",
	diag.SignatureMalformed: "is about a module",
	diag.KeyUnusable:        "is about a key",
	diag.ModuleUnusable:     "is about a module",

	diag.NoSuchExecution:     "is about an execution",
	diag.ExecutionOver:       "is about an execution",
	diag.NoSuchCommand:       "needs the registry",
	diag.NoSuchSigner:        "needs the registry",
	diag.NoSuchKey:           "needs the registry",
	diag.ScopeMissing:        "needs a key of a client",
	diag.CommandUnusable:     "needs the registry",
	diag.PolicyRefused:       "needs the registry",
	diag.Revoked:             "needs the registry",
	diag.StoreUnavailable:    "needs a store that fails",
	diag.StoreFull:           "needs a store that fails",
	diag.ArtifactUnavailable: "needs a store that fails",
	diag.ArtifactDamaged:     "needs a store that fails",

	diag.RateLimited:     "needs a limit in the settings",
	diag.QuotaUsed:       "needs a limit in the settings",
	diag.DuplicateMember: "needs a server that refuses that",
	diag.BodyComplex:     "needs a body of thousands of bytes",
	diag.Overloaded:      "needs a server under load",
	diag.KeyReused:       "needs two requests",
	diag.KeyBusy:         "needs two requests",
	diag.KeyUncertain:    "needs two requests",

	diag.AuditUnavailable: "needs an audit log that fails",

	diag.Internal: "is a defect",
}

// TestExamples runs the examples of all codes on a server: the first one gives
// just the code, the second one does not.
func TestExamples(t *testing.T) {
	server := startServe(t)
	defer func() {
		server.signal()
		await(t, "exit", server.code)
	}()
	for _, e := range diag.Entries() {
		if e.Example == nil {
			if withoutExample[e.Code] == "" {
				t.Errorf("%s has no example", e.Code)
			}
			continue
		}
		t.Run(string(e.Code), func(t *testing.T) {
			bad, good := server.codes(t, e.Code, e.Example, e.Example.Bad), server.codes(t, e.Code, e.Example, e.Example.Good)
			if !slices.Equal(bad, []diag.Code{e.Code}) {
				t.Errorf("the bad example gives %v\n%s", bad, e.Example.Bad)
			}
			if len(good) > 0 {
				t.Errorf("the good example gives %v\n%s", good, e.Example.Good)
			}
		})
	}
}

// codes gives the different codes that an example gives, warnings included if
// the code is one.
func (s *instance) codes(t *testing.T, code diag.Code, x *diag.Example, text string) []diag.Code {
	t.Helper()
	if x.HTTP {
		return s.exchange(t, text)
	}
	path := "/api/v1/execute"
	if isWarning(code) {
		path = "/api/v1/check"
	}
	body := map[string]any{}
	if x.With != "" {
		if err := json.Unmarshal([]byte(x.With), &body); err != nil {
			t.Fatal(err)
		}
	}
	body["script"] = text
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return s.exchange(t, "POST "+path+"\nContent-Type: application/json\n\n"+string(encoded))
}

func isWarning(code diag.Code) bool {
	return strings.HasPrefix(string(code), "AVAP21") || code == diag.UnknownMethod
}

// exchange sends a request as the examples write it.
func (s *instance) exchange(t *testing.T, request string) []diag.Code {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head, body, _ := strings.Cut(request, "\n\n")
	first, headers, _ := strings.Cut(strings.TrimSpace(head), "\n")
	message := first + " HTTP/1.1\nHost: localhost\nConnection: close\n" + headers
	message = strings.ReplaceAll(strings.TrimSpace(message), "\n", "\r\n")
	if _, err := fmt.Fprintf(conn, "%s\r\nContent-Length: %d\r\n\r\n%s", message, len(body), body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answeredCodes(content)
}

// answeredCodes lists the codes in an answer, each once.
func answeredCodes(content []byte) []diag.Code {
	var answer struct {
		Code        diag.Code
		Diagnostics []struct{ Code diag.Code }
	}
	// An answer of a health route is no JSON and has no code.
	_ = json.Unmarshal(content, &answer)
	codes := []diag.Code{answer.Code}
	for _, d := range answer.Diagnostics {
		codes = append(codes, d.Code)
	}
	slices.Sort(codes)
	return slices.DeleteFunc(slices.Compact(codes), func(c diag.Code) bool { return c == "" })
}
