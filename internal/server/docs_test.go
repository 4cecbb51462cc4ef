package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/avapd/avapd/internal/testservices"
)

// The page has every operation and schema of the document, every link on it leads
// somewhere, and it fetches and runs nothing.
func TestDocs(t *testing.T) {
	h := startCommands(t)
	h.do(http.MethodPut, "/api/v1/apps/shop", "application/json",
		strings.NewReader(`{"script":"function f(){\n}\nregisterEndpoint(\"/f/:id\", \"GET\", [], \"<b>bold</b>\", f, out)"}`), "Authorization", "Bearer "+testToken)
	r := h.do(http.MethodGet, pathDocs, "", nil)
	page := string(r.body)
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	if policy := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("the policy is %q", policy)
	}
	var document struct {
		Paths      map[string]map[string]struct{ Summary string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(h.do(http.MethodGet, pathOpenAPI, "", nil).body, &document); err != nil {
		t.Fatal(err)
	}
	for path, calls := range document.Paths {
		for method := range calls {
			if heading := `<h3><b class="` + strings.ToUpper(method) + `">` + strings.ToUpper(method) + "</b> <code>" + path + "</code></h3>"; strings.Count(page, heading) != 1 {
				t.Errorf("the page has not %s once", heading)
			}
		}
	}
	for name := range document.Components.Schemas {
		if !strings.Contains(page, `<article id="schema-`+name+`">`) {
			t.Errorf("the schema %s is not there", name)
		}
	}
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		ids[m[1]]++
	}
	links := regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 50 {
		t.Errorf("there are %d links", len(links))
	}
	for _, m := range links {
		if id, inside := strings.CutPrefix(m[1], "#"); inside && ids[id] != 1 || !inside && m[1] != pathOpenAPI {
			t.Errorf("the link %s leads to %d places", m[1], ids[id])
		}
	}
	for _, bad := range []string{"<script", "<img", "<link", "src=", "@import", "url(", "http:", "https:", " style=", "<b>bold"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

// A browser shows the page and has nothing to complain about; that it would, a
// page shows that its policy keeps from a script.
func TestDocsInBrowser(t *testing.T) {
	h := start(t)
	document, console := testservices.Browse(t, "http://"+h.addr+pathDocs)
	if !strings.Contains(document, `<article id="POST-api-v1-execute">`) || len(console) > 0 {
		t.Errorf("%.500s %q", document, console)
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		_, _ = w.Write([]byte("<style>p{color:red}</style><p>x"))
	}))
	defer broken.Close()
	if _, console := testservices.Browse(t, broken.URL); len(console) == 0 {
		t.Error("a style of another's is not complained about")
	}
}
