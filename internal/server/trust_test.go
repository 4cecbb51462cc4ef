package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
)

// putSigner trusts a key with commands of a prefix.
func (h *commandHarness) putSigner(name string, key signature.PrivateKey, capabilities ...string) reply {
	h.t.Helper()
	text, err := signature.EncodePublic(key.Public(), signature.OpenSSH, name)
	if err != nil {
		h.t.Fatal(err)
	}
	body, err := json.Marshal(api.Signer{PublicKey: string(text), Prefixes: []string{"ci_"}, Capabilities: capabilities, TrustedCompiler: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.ask(http.MethodPut, "/signers/"+name, "application/json", body)
}

// Who changes what is trusted is told what comes of it, and lists tell what does
// not run any more.
func TestTrustIsTold(t *testing.T) {
	h := startCommands(t)
	key := newKey(t)
	s := decode[api.Signer](t, h.putSigner("ci", key, "sql"), 200)
	if s.Change == nil || s.Change.GainedCount != 0 || s.Change.LostCount != 0 {
		t.Errorf("got %+v", s.Change)
	}
	v := decode[api.Version](t, h.ask(http.MethodPut, "/commands/ci_one?activate=true", api.WASM, signedBy(t, key, "x = 1")), 201)
	decode[api.Version](t, h.upload("/commands/other?activate=true", "x = 2"), 201)
	if !v.Runnable || v.Reason != "" {
		t.Errorf("got %+v", v)
	}
	if c := decode[api.TrustChange](t, h.ask(http.MethodDelete, "/signers/ci", "", nil), 200); c.LostCount != 1 || !slices.Equal(c.Lost, []string{"ci_one"}) || len(c.Gained) > 0 {
		t.Errorf("got %+v", c)
	}
	refused := func(code diag.Code, word string) {
		t.Helper()
		list := decode[api.Commands](t, h.ask(http.MethodGet, "/commands", "", nil), 200).Commands
		versions := decode[api.Versions](t, h.ask(http.MethodGet, "/commands/ci_one/versions", "", nil), 200).Versions
		enabled := decode[api.Command](t, h.ask(http.MethodPost, "/commands/ci_one/enable", "", nil), 200)
		for _, d := range [][3]any{
			{list[0].Runnable, list[0].ReasonCode, list[0].Reason},
			{versions[0].Runnable, versions[0].ReasonCode, versions[0].Reason},
			{enabled.Runnable, enabled.ReasonCode, enabled.Reason},
		} {
			if d[0] != false || d[1] != string(code) || !strings.Contains(fmt.Sprint(d[2]), word) {
				t.Errorf("got %v", d)
			}
		}
		if !list[1].Runnable || list[1].Reason != "" {
			t.Errorf("got %+v", list[1])
		}
		h.ask(http.MethodPost, "/commands/ci_one/activate", "application/json", []byte(`{"version":1}`)).wantProblem(t, 422, code)
	}
	refused(diag.PolicyRefused, "nobody who is trusted")
	if s := decode[api.Signer](t, h.putSigner("ci2", key, "sql"), 200); s.Change.GainedCount != 1 || !slices.Equal(s.Change.Gained, []string{"ci_one"}) {
		t.Errorf("got %+v", s.Change)
	}
	h.putSigner("ci3", key, "sql").wantProblem(t, 409, diag.Conflict)
	if p := h.putSigner("ci4", newKey(t), "htpp").wantProblem(t, 400, diag.BadFieldValue); p.Suggestion != "did you mean http?" {
		t.Errorf("suggestion %q", p.Suggestion)
	}

	r := decode[api.Revocation](t, h.ask(http.MethodPost, "/revocations", "application/json", fmt.Appendf(nil, `{"kind":"digest","value":%q,"reason":"wrong"}`, v.Digest)), 200)
	if r.Note != "" || r.Change.LostCount != 1 {
		t.Errorf("got %+v", r)
	}
	refused(diag.Revoked, "wrong")
	body := fmt.Sprintf(`{"kind":"key","value":%q,"reason":""}`, newKey(t).Public().String())
	if r := decode[api.Revocation](t, h.ask(http.MethodPost, "/revocations", "application/json", []byte(body)), 200); !strings.Contains(r.Note, "no signer has this key") || r.Change.LostCount != 0 {
		t.Errorf("got %+v", r)
	}
	if c := decode[api.Command](t, h.ask(http.MethodPost, "/commands/other/disable", "", nil), 200); c.Runnable || c.ReasonCode != string(diag.CommandUnusable) {
		t.Errorf("got %+v", c)
	}
}

// Versions and revocations are listed in pages.
func TestPages(t *testing.T) {
	h := startCommands(t)
	for i := range 5 {
		decode[api.Version](t, h.upload("/commands/one", fmt.Sprintf("x = %d", i)), 201)
		body := fmt.Sprintf(`{"kind":"key","value":"%024x","reason":""}`, i)
		decode[api.Revocation](t, h.ask(http.MethodPost, "/revocations", "application/json", []byte(body)), 200)
	}
	var numbers []int
	var values []string
	for after, more := "", true; more; {
		page := decode[api.Versions](t, h.ask(http.MethodGet, "/commands/one/versions?limit=2&after="+after, "", nil), 200)
		for _, v := range page.Versions {
			numbers = append(numbers, v.Version)
		}
		after, more = page.Next, page.Next != ""
	}
	for after, more := "", true; more; {
		page := decode[api.Revocations](t, h.ask(http.MethodGet, "/revocations?limit=2&after="+url.QueryEscape(after), "", nil), 200)
		for _, r := range page.Revocations {
			values = append(values, r.Value)
		}
		after, more = page.Next, page.Next != ""
	}
	slices.Sort(values)
	if !slices.Equal(numbers, []int{5, 4, 3, 2, 1}) || len(slices.Compact(values)) != 5 {
		t.Errorf("versions %v, revocations %v", numbers, values)
	}
	for _, path := range []string{"/commands/one/versions?limit=0", "/commands/one/versions?after=x", "/revocations?limit=2000", "/revocations?after=key:00", "/revocations?limt=1"} {
		h.ask(http.MethodGet, path, "", nil).wantProblem(t, 400, diag.BadFieldValue)
	}
}

// What is stored is answered, also where it cannot be seen yet.
func TestChangesAreAnsweredAsStored(t *testing.T) {
	h := startCommands(t)
	decode[api.Version](t, h.upload("/commands/one?activate=true", "x = 1"), 201)
	decode[api.Version](t, h.upload("/commands/one", "x = 2"), 201)
	for _, test := range []struct {
		path, body string
		want       func(api.Command) bool
	}{
		{"activate", `{"version":2}`, func(c api.Command) bool { return c.Active == 2 }},
		{"rollback", "", func(c api.Command) bool { return c.Active == 1 }},
		{"disable", "", func(c api.Command) bool { return c.Disabled && !c.Runnable }},
	} {
		h.store.deaf.Store(true)
		c := decode[api.Command](t, h.ask(http.MethodPost, "/commands/one/"+test.path, "application/json", []byte(test.body)), 200)
		if !test.want(c) {
			t.Errorf("%s: %+v", test.path, c)
		}
		h.store.deaf.Store(false)
		if err := h.commands.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := decode[api.Command](t, h.ask(http.MethodGet, "/commands/one", "", nil), 200); !test.want(c) {
			t.Errorf("%s: %+v", test.path, c)
		}
	}
	h.store.deaf.Store(true)
	if v := decode[api.Version](t, h.upload("/commands/one?activate=true", "x = 3"), 201); v.Version != 3 || !v.Active {
		t.Errorf("got %+v", v)
	}
}

// A script that the server builds can have an interface that says more than the
// script does.
func TestInterfaceOfASource(t *testing.T) {
	h := startCommands(t)
	list := url.QueryEscape(`[{"name":"b","kind":"L"},{"name":"a","kind":"L"}]`)
	for i, body := range [][2]string{{"text/plain", "return(a - b)"}, {"application/json", `{"script":"return(a - b)"}`}} {
		v := decode[api.Version](t, h.ask(http.MethodPut, "/commands/minus?activate=true&interface="+list, body[0], []byte(body[1])), 201-i)
		if len(v.Interface) != 2 || v.Interface[0].Name != "b" {
			t.Errorf("got %+v", v)
		}
	}
	r := h.do(http.MethodPost, "/api/v1/execute", "text/plain", strings.NewReader(`{"script":"x = minus(1, 10)\naddResult(x)"}`))
	if r.StatusCode != 200 || !bytes.Contains(r.body, []byte(`{"x":9}`)) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, bad := range []string{"a", `[{"name":"a","kind":"V"}]`, `[{"name":"a","kind":"L"},{"name":"a","kind":"L"}]`} {
		h.ask(http.MethodPut, "/commands/minus?interface="+url.QueryEscape(bad), "text/plain", []byte("x = 1")).wantProblem(t, 400, diag.BadFieldValue)
	}
}

// answerToHeader sends the header of a request, the body of which does not come
// before there is an answer.
func answerToHeader(t *testing.T, conn net.Conn, header string) reply {
	t.Helper()
	send(t, conn, header+"Content-Length: 1000000\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return reply{response, body}
}

// Who will be refused for other requests is refused before the body, too.
func TestBodiesOfStrangers(t *testing.T) {
	h := start(t, "--auth-anonymous", "never")
	for _, path := range []string{pathExecute, pathCheck, "/some/app"} {
		answerToHeader(t, h.dial(), "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n").wantProblem(t, 401, diag.Unauthorized)
	}
	h = start(t)
	answerToHeader(t, h.dial(), "POST "+pathExecute+" HTTP/1.1\r\nHost: evil.example\r\n").wantProblem(t, 401, diag.Unauthorized)
	large := `{"script":"x = \"` + strings.Repeat("x", 2*strangersBytes) + `\""}`
	if r := h.execute(large); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// Of an upload from who may not upload, little is read.
func TestUploadsOfStrangers(t *testing.T) {
	h := startCommands(t)
	for _, authorization := range []string{"", "Authorization: Bearer nonsense\r\n", "Authorization: Basic eDp5\r\n", "Signature-Input: x\r\n"} {
		answerToHeader(t, h.dial(), "PUT /api/v1/commands/one HTTP/1.1\r\nHost: x\r\nContent-Type: application/wasm\r\n"+authorization).wantProblem(t, 401, diag.Unauthorized)
	}
	// Who may upload is read to the end, and so is little.
	module := signedBy(t, h.key, "x = \""+strings.Repeat("x", 2*strangersBytes)+"\"")
	if r := h.ask(http.MethodPut, "/commands/one", api.WASM, module); r.StatusCode != 201 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	h.do(http.MethodPut, "/api/v1/commands/one", api.WASM, bytes.NewReader(module)).wantProblem(t, 401, diag.Unauthorized)
	h.do(http.MethodPut, "/api/v1/commands/one", api.WASM, strings.NewReader("little")).wantProblem(t, 401, diag.Unauthorized)
}

// The reason of a revocation is optional and bounded; the list has it, whoever meets
// the revocation is told, and it is in the audit log.
func TestReasonOfRevocation(t *testing.T) {
	h := startCommands(t)
	revoke := func(id, reason string) reply {
		body, err := json.Marshal(map[string]string{"kind": "key", "value": id, "reason": reason})
		if err != nil {
			t.Fatal(err)
		}
		return h.ask(http.MethodPost, "/revocations", "application/json", body)
	}
	const first, second, third = "00000000000000000000000a", "00000000000000000000000b", "00000000000000000000000c"
	if r := decode[api.Revocation](t, revoke(first, "the laptop was lost"), 200); r.Reason != "the laptop was lost" || r.By != "admin" {
		t.Errorf("got %+v", r)
	}
	decode[api.Revocation](t, h.ask(http.MethodPost, "/revocations", "application/json", []byte(`{"kind":"key","value":"`+second+`"}`)), 200)
	if p := revoke(third, strings.Repeat("x", 1001)).wantProblem(t, 400, diag.BadFieldValue); !strings.Contains(p.Error, "1000 bytes") {
		t.Errorf("got %q", p.Error)
	}
	reasons := map[string]string{}
	for _, r := range decode[api.Revocations](t, h.ask(http.MethodGet, "/revocations", "", nil), 200).Revocations {
		reasons[r.Value] = r.Reason
	}
	if len(reasons) != 2 || reasons[first] != "the laptop was lost" || reasons[second] != "" {
		t.Errorf("got %v", reasons)
	}
	page := decode[api.AuditPage](t, h.ask(http.MethodGet, "/audit?kind=change", "", nil), 200)
	written := slices.ContainsFunc(page.Records, func(r api.AuditRecord) bool {
		return r.Action == "revocation.add" && r.Target == "key:"+first && r.Detail == "the laptop was lost"
	})
	if !written {
		t.Errorf("the audit log has no reason: %+v", page.Records)
	}
}

// A server knows its commands when it checks a script, as far as who asks may know
// them.
func TestCheckKnowsCommands(t *testing.T) {
	h := startCommands(t)
	decode[api.Version](t, h.upload("/commands/price?activate=true", "return(1)"), 201)
	body := `{"script":"x = price(1) + prise(2)\naddResult(x)"}`
	type finding struct{ Code, Suggestion string }
	check := func(h *commandHarness) []finding {
		return decode[struct{ Diagnostics []finding }](t, h.do(http.MethodPost, pathCheck, "application/json", strings.NewReader(body)), 200).Diagnostics
	}
	if found := check(h); !slices.Equal(found, []finding{{string(diag.UnknownCommand), "did you mean price?"}}) {
		t.Errorf("got %+v", found)
	}
	// Who may not list commands learns no names.
	if found := check(startCommands(t, "--auth-anonymous-scopes", "check")); len(found) != 2 || strings.Contains(found[1].Suggestion, "price") {
		t.Errorf("got %+v", found)
	}
}
