package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/api"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/signature"
)

const formType = "application/x-www-form-urlencoded"

// What is wrong with a document is said in its own words.
func TestBadDocuments(t *testing.T) {
	h := startCommands(t)
	for _, test := range []struct {
		path, media, body string
		status            int
		code              diag.Code
		want              string
	}{
		{"/keys", "application/json", `{"name":7}`, 400, diag.BadFieldType, "name must be text, not a number; at byte 8 of the body"},
		{"/keys", "application/json", `{"name":"a","scopes":"execute"}`, 400, diag.BadFieldType, "scopes must be an array, not text"},
		{"/keys", "application/json", `{"name":"a","scopes":[1]}`, 400, diag.BadFieldType, "scopes.0 must be text, not a number"},
		{"/keys", "application/json", `{"name":"a","expires":"soon"}`, 400, diag.BadFieldType, `expires must be a date such as 2027-01-31T00:00:00Z, not other text`},
		{"/keys", "application/json", `{"nam":"a"}`, 400, diag.BadFieldValue, "there is no member nam; there are name, kind"},
		{"/keys", "application/json", `{"name":"a"`, 400, diag.BadJSON, "the body is not valid JSON"},
		{"/keys", "application/json", `[]`, 400, diag.BadFieldType, "the body must be an object, not an array"},
		{"/keys", "", ``, 400, diag.BadJSON, messageEmptyBody},
		{"/keys", formType, ``, 400, diag.BadJSON, messageEmptyBody},
		{"/keys", formType, `[]`, 400, diag.BadFieldType, "the body must be an object, not an array"},
		{"/keys", formType, `name=a`, 415, diag.BadBodyType, "which curl -d sends where no other is named"},
		{"/commands/one/activate", "application/json", `{"version":1.5}`, 400, diag.BadFieldType, "version must be a whole number, not 1.5"},
		{"/commands/one/activate", "application/json", `{"version":"1"}`, 400, diag.BadFieldType, "version must be a whole number, not text"},
		{"/revocations", "application/json", `{"kind":[]}`, 400, diag.BadFieldType, "kind must be text, not an array"},
		{"/compile", "application/json", `{"command_name":7}`, 400, diag.BadFieldType, "command_name must be text, not a number; at byte 16 of the body"},
		{"/compile", "application/json", `{"command_name":"a","script":["x = 1"]}`, 400, diag.BadFieldType, "script must be text, not an array"},
		{"/compile", "application/json", `{"command_name"`, 400, diag.BadJSON, "the body is not valid JSON"},
		{"/compile", "application/json", `[]`, 400, diag.BadFieldType, "the body must be an object, not an array"},
		{"/compile", "", ``, 400, diag.BadJSON, messageEmptyBody},
		{"/compile", "application/json", `{"more":1}`, 400, diag.BadFieldValue, messageNoCommand},
		{"/execute/batch", formType, ``, 400, diag.BadJSON, messageEmptyBody},
		{"/execute", formType, `[]`, 400, diag.BadJSON, "the body must be a JSON object, not an array"},
	} {
		p := h.ask(http.MethodPost, test.path, test.media, []byte(test.body)).wantProblem(t, test.status, test.code)
		if !strings.Contains(p.Error, test.want) || strings.Contains(p.NextStep, "script") {
			t.Errorf("%s %s: %s; next step: %s", test.path, test.body, p.Error, p.NextStep)
		}
	}
	p := h.ask(http.MethodPut, "/signers/team", "application/json", []byte(`{"limits":{"feul":1}}`)).wantProblem(t, 400, diag.BadFieldValue)
	if !strings.Contains(p.Error, "limits.feul") || !strings.Contains(p.Suggestion, "fuel") {
		t.Errorf("%s; %s", p.Error, p.Suggestion)
	}
}

// Who sent nothing, or a form by mistake, is told what else a missing script may
// come of. The message stays, as callers match on it.
func TestHintsOfMissingScripts(t *testing.T) {
	h := start(t)
	for _, test := range [][3]string{
		{"", "", messageEmptyBody}, {formType, "", messageEmptyBody}, {formType, "x=1", messageNoField}, {"application/json", "{}", ""},
	} {
		p := h.do(http.MethodPost, pathExecute, test[0], strings.NewReader(test[1])).wantProblem(t, 400, diag.MissingScript)
		if p.Error != messageNoScript || p.Suggestion != test[2] {
			t.Errorf("%q: %s; %s", test, p.Error, p.Suggestion)
		}
	}
}

// A signer who is to have a revoked key is not told to build something.
func TestSignerWithRevokedKey(t *testing.T) {
	h := startCommands(t)
	public := newKey(t).Public()
	revoked, _ := encodeJSON(api.Revocation{Kind: "key", Value: public.String()})
	if r := h.ask(http.MethodPost, "/revocations", "application/json", revoked); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	text, err := signature.EncodePublic(public, signature.OpenSSH, "late")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := encodeJSON(api.Signer{PublicKey: string(text), Prefixes: []string{"*"}})
	p := h.ask(http.MethodPut, "/signers/late", "application/json", body).wantProblem(t, 422, diag.Revoked)
	if !strings.Contains(p.NextStep, "another key") {
		t.Error(p.NextStep)
	}
}

// RFC 9110 has one or more spaces between the scheme and what follows.
func TestSpacesBehindScheme(t *testing.T) {
	h := startCommands(t)
	secret := h.newKey(api.NewKey{Name: "ci", Scopes: []string{"execute"}})
	for _, spaces := range []string{" ", "   "} {
		if r := h.do(http.MethodPost, pathExecute, "application/json", strings.NewReader(`{"script":"x = 1"}`), "Authorization", "bearer"+spaces+secret); r.StatusCode != 200 {
			t.Errorf("%q: %d %s", spaces, r.StatusCode, r.body)
		}
	}
}
