package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avapd/avapd/internal/conformance/loopback"
	"github.com/avapd/avapd/internal/diag"
	"github.com/avapd/avapd/internal/testservices"
	"github.com/avapd/avapd/wasmhost/commands"
)

// effect is a script and what it results in: results as JSON, or a part of the
// message of its error.
type effect struct {
	script, want string
	code         diag.Code
}

func checkEffects(t *testing.T, change func(*Config), tests []effect, replace ...string) {
	t.Helper()
	for kind, e := range realEngines(t, change) {
		for _, test := range tests {
			script := strings.NewReplacer(replace...).Replace(test.script)
			a, err := e.Run(context.Background(), &Request{Source: script, Variables: []byte(`{"given":"it's","n":5,"evil":"x' OR '1'='1"}`)})
			var failure *diag.Failure
			switch {
			case test.code != "":
				if !errors.As(err, &failure) || failure.Code != test.code || !strings.Contains(failure.Message, test.want) {
					t.Errorf("%s: %s\ngot  %v (%v)\nwant %s %s", kind, script, err, a, test.code, test.want)
				}
			case err != nil:
				t.Errorf("%s: %s\n%v", kind, script, err)
			case string(a.Result) != test.want:
				t.Errorf("%s: %s\ngot  %s\nwant %s", kind, script, a.Result, test.want)
			}
		}
	}
}

// Dates that name no zone are in the configured one, both ways.
func TestConfiguredZone(t *testing.T) {
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	checkEffects(t, func(c *Config) { c.Zone = madrid }, []effect{
		{script: "stampToDatetime(0, '%H:%M %z', 0, a)\naddResult(a)", want: `{"a":"01:00 +0100"}`},
		{script: "getTimeStamp('2024-07-01 02:00', '%Y-%m-%d %H:%M', 0, a)\naddResult(a)", want: `{"a":1719792000.0}`},
	})
}

func TestTimeAndRandomCommands(t *testing.T) {
	now := time.Unix(1_700_000_000, 250_000_000)
	checkEffects(t, func(c *Config) { c.Commands.Now = func() time.Time { return now } }, []effect{
		{script: "getDateTime('', 0, '', a)\naddResult(a)", want: `{"a":1700000000.25}`},
		{script: "getDateTime(%Y-%m-%d %H:%M, 3600, Europe/Madrid, a)\naddResult(a)", want: `{"a":"2023-11-15 00:13"}`},
		{script: "getDateTime('%Y', 0, 'Nowhere/City', a)", code: diag.BadValue, want: "zone"},
		{script: "stampToDatetime('86400', %Y-%m-%d, '-1', a)\naddResult(a)", want: `{"a":"1970-01-01"}`},
		{script: "x = getTimeStamp('2024-01-01', '%Y-%m-%d')\naddResult(x)", want: `{"x":1704067200.0}`},
		{script: "x = randomString(12)\nn = len(x)\na = x.isalnum()\naddResult(n)\naddResult(a)", want: `{"n":12,"a":true}`},
		{script: "randomString([ab]{2}, '3', x)\nreplace(x, [ab], -, y)\naddResult(y)", want: `{"y":"------"}`},
		{script: "x = randomString('é', 524288)\nn = len(x)\naddResult(n)", want: `{"n":524288}`},
		{script: "x = randomString('é', 524289)", code: diag.BadValue, want: "too long"},
		{script: "randomString('[', 3, x)", code: diag.BadValue, want: "regular expression"},
		{script: "randomString('a', -1, x)", code: diag.BadValue, want: "negative"},
		{script: "try()\nrandomString('a', 'many', x)\nexception(e)\naddResult(e)\nend()", want: `{"e":"not a number: many"}`},
	})
}

func TestPatternCommands(t *testing.T) {
	checkEffects(t, nil, []effect{
		{script: `replace("2024-10-15", (\d+)-(\d+)-(\d+), "\3/\2/\1", a)` + "\naddResult(a)", want: `{"a":"15/10/2024"}`},
		{script: `getRegex("a1b22", "([a-z])([0-9]+)", a)` + "\naddResult(a)", want: `{"a":"a1b22"}`},
		{script: `getRegex("abc", "(", a)`, code: diag.BadValue, want: "regular expression"},
		{script: "encodeMD5(None, a)\nencodeSHA256([1], b)\nc = len(b)\naddResult(a)\naddResult(c)", want: `{"a":"6adf97f83acf6453d4a6a4b1070f3754","c":64}`},
	})
}

var loopbackOnly = netip.MustParsePrefix("127.0.0.0/8")

func TestHTTPCommands(t *testing.T) {
	server := loopback.Start()
	defer server.Close()
	allow := func(c *Config) { c.Commands.Egress.Allow = []netip.Prefix{loopbackOnly} }
	base := "http://127.0.0.1:" + loopback.Port(server)
	checkEffects(t, allow, []effect{
		{script: "r = RequestGet('{}/json')\naddResult(r)", want: `{"r":{"id":1,"name":"Ana"}}`},
		{script: "RequestGet({}/text, , , r)\naddResult(r)", want: `{"r":"hello"}`},
		{script: "RequestGet('{}/echo', {'b': [1, None, True], 'a': 2.0}, {'X-A': 5}, r)\na = r['query']\nb = r['headers']['x-a']\naddResult(a)\naddResult(b)", want: `{"a":{"a":"2.0","b":"1"},"b":"5"}`},
		{script: "RequestGet('{}/echo', 'x=1%20&y', '', r)\na = r['query']\naddResult(a)", want: `{"a":{"x":"1 ","y":""}}`},
		{script: "\nRequestGet('{}/status/404', '', '', r)", code: diag.HostFailure, want: "404 Client Error: Not Found for url: " + base + "/status/404"},
		{script: "try()\nRequestGet('{}/status/503', '', '', r)\nexception(e)\naddResult(e)\nend()", want: `{"e":"503 Server Error: Service Unavailable for url: ` + base + `/status/503"}`},
		{script: "RequestGet('http://10.0.0.1/', '', '', r)", code: diag.Forbidden, want: "not allowed"},
		{script: "RequestGet('nonsense', '', '', r)", code: diag.BadValue},
		{script: "RequestGet('{}/json', '', [1], r)", code: diag.BadValue, want: "the headers must be a dict"},
		{script: "RequestPost('http://10.0.0.1/', '', '', 'x', r)\ne = 'error' in r\naddResult(e)", want: `{"e":true}`},
		{script: "b = '[1,2.50]'\nRequestPost('{}/echo', '', '', b, r)\na = r['body']\nh = r['headers']['content-type']\naddResult(a)\naddResult(h)", want: `{"a":"[1,2.50]","h":"application/json"}`},
		{script: "RequestPost('{}/echo', '', {'Content-Type': 'text/csv'}, 'a;ñ', r)\na = r['body']\nh = r['headers']['content-type']\naddResult(a)\naddResult(h)", want: `{"a":"a;ñ","h":"text/csv"}`},
		{script: "x = RequestPost('{}/echo')\na = x['body']\naddResult(a)", want: `{"a":""}`},
	}, "{}", base)
}

func TestHTTPIsRefusedWithoutPermission(t *testing.T) {
	server := loopback.Start()
	defer server.Close()
	checkEffects(t, nil, []effect{{script: "RequestGet('{}/json', '', '', r)", code: diag.Forbidden}}, "{}", server.URL)
}

// dataEffects are scripts that mean the same on every database. They share one.
func dataEffects(float string) []effect {
	return []effect{
		{script: "ormDirect('CREATE TABLE t (id INTEGER, n TEXT, x " + float + ")', r)\naddResult(r)", want: `{"r":"Success: 0"}`},
		{script: "ormDirect(`INSERT INTO t VALUES (${n}, ${given}, 1.5)`, r)\naddResult(r)", want: `{"r":"Success: 1"}`},
		{script: "ormDirect(`SELECT * FROM t WHERE n = '${given}'`, r)\naddResult(r)", want: `{"r":[{"id":5,"n":"it's","x":1.5}]}`},
		{script: "ormDirect(`SELECT id FROM t WHERE n LIKE '%${given[0]}%' AND id IN (${[n, 7]})`, r)\naddResult(r)", want: `{"r":[{"id":5}]}`},
		// A value never becomes SQL, by whichever way the parts come together.
		{script: "q = \"SELECT id FROM t WHERE n = '\" + evil + \"'\"\nr = ormDirect(q)\naddResult(r)", want: `{"r":[]}`},
		{script: "function cond(v){ return `n = ${v}` }\nc = [cond(evil)]\nw = c[0]\nr = ormDirect(`SELECT id FROM t WHERE ${w}`)\naddResult(r)", want: `{"r":[]}`},
		{script: "w = `id = ${n}`\nr = ormAccessSelect('id', 't', w)\ns = ormAccessSelect('id,n', 't', `${w} AND n = ${None}`)\naddResult(r)\naddResult(s)", want: `{"r":[{"id":5}],"s":[]}`},
		{script: "d = 'id = 5'\nr = ormDirect(`SELECT id FROM t WHERE n = ${d}`)\naddResult(r)", want: `{"r":[]}`},
		{script: "r = ormDirect(f\"SELECT id FROM t WHERE id = {n}\")\naddResult(r)", want: `{"r":[{"id":5}]}`},
		{script: "x = ''\nx += 'SELECT id FROM t WHERE id IN ('\nstartLoop(i, 1, 5)\nx += str(i)\nx += ','\nendLoop()\nx += \"9) OR n = '\"\nx += evil\nx += \"'\"\nr = ormDirect(x)\naddResult(r)", want: `{"r":[{"id":5}]}`},
		{script: "ormAccessInsert('id,n', `${n + 1},${given}`, 't', r)\nq = ormAccessSelect('n', 't', 'id = 6')\naddResult(r)\naddResult(q)", want: `{"r":"Success: 1","q":[{"n":"it's"}]}`},
		{script: "ormAccessUpdate('n', 'z', 't', `id = ${6}`, r)\nq = ormAccessDelete('t', 'id = 6')\naddResult(r)\naddResult(q)", want: `{"r":"Success: 1","q":"Success: 1"}`},
		{script: "ormCheckTable(t, a)\nb = ormCheckTable('absent')\naddResult(a)\naddResult(b)", want: `{"a":"True","b":"False"}`},
		{script: "ormAccessSelect('id', 'no_table', '', r)", code: diag.HostFailure, want: "no_table"},
		{script: "ormAccessSelect('id; DROP TABLE t', 't', '', r)", code: diag.Forbidden, want: "is not a name"},
	}
}

func TestDataCommands(t *testing.T) {
	var n atomic.Int32
	fresh := func(c *Config) {
		c.Commands.Data.SQLiteFile = filepath.Join(t.TempDir(), fmt.Sprint(n.Add(1)), "data.db")
	}
	checkEffects(t, fresh, dataEffects("REAL"))
	checkEffects(t, fresh, []effect{
		{script: "ormDirect('SELECT nosuch', r)\ne = r['error']\naddResult(e)", want: `{"e":"no such column: nosuch"}`},
		{script: "ormDirect('ATTACH DATABASE \"x\" AS y', r)\ne = 'error' in r\naddResult(e)", want: `{"e":true}`},
	})
	strict := func(c *Config) {
		fresh(c)
		c.Commands.Data.Policy.RequireParameters = true
	}
	checkEffects(t, strict, []effect{
		{script: "r = ormDirect('SELECT %d AS a' % n)\ne = r['error']\nx = 'template' in e\ns = ormDirect(`SELECT ${n} AS a`)\naddResult(x)\naddResult(s)", want: `{"x":true,"s":[{"a":5}]}`},
	})
	checkEffects(t, nil, []effect{{script: "r = ormDirect('SELECT 1')\naddResult(r)", want: `{"r":{"error":"no database is configured"}}`}})
}

// The same scripts on PostgreSQL.
func TestDataCommandsOnPostgres(t *testing.T) {
	server, err := testservices.StartPostgres()
	testservices.Need(t, err)
	t.Cleanup(func() { // after the engines and schemas
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	checkEffects(t, func(c *Config) { c.Commands.Data.PostgresURL = server.Schema(t) }, dataEffects("DOUBLE PRECISION"))
}

func TestConnectors(t *testing.T) {
	server := loopback.Start()
	defer server.Close()
	token := func(text string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(text, "{}", server.URL)))
	}
	api := token(`{"type":"api","url":"{}"}`)
	var n atomic.Int32
	change := func(c *Config) {
		c.Commands.Egress.Allow = []netip.Prefix{loopbackOnly}
		c.Commands.AllowTokens = true
		dir := filepath.Join(t.TempDir(), fmt.Sprint(n.Add(1)))
		file := filepath.Join(dir, "connectors.json")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, []byte(`{"db":{"type":"sqlite","file":"c.db"}}`), 0o600)); err != nil {
			t.Fatal(err)
		}
		c.Commands.ConnectorsFile = file
		c.Commands.Connectors = map[string]commands.Connector{
			"shop": {Type: "api", URL: server.URL + "/echo", Headers: map[string]string{"X-Key": "secret"}},
		}
	}
	checkEffects(t, change, []effect{
		{script: "db = avapConnector('db')\ndb.query('CREATE TABLE t (a INTEGER, b TEXT)')\na = db.query('INSERT INTO t VALUES (?, ?)', [n, given])\nb = db.query('SELECT * FROM t WHERE b = :b AND a <> 9', {'b': given})\nc = db.query(`SELECT a FROM t WHERE b = ${given}`)\naddResult(a)\naddResult(b)\naddResult(c)", want: `{"a":"Success: 1","b":[{"a":5,"b":"it's"}],"c":[{"a":5}]}`},
		{script: "db = avapConnector('db')\nx = db.query('SELECT ?', [])", code: diag.BadValue, want: "too few"},
		{script: "db = avapConnector('db')\nx = db.query('SELECT nosuch')", code: diag.HostFailure, want: "no such column"},
		{script: "a = avapConnector(shop)\nr = a.get('', \"{'q': 1}\", {'X-Key': 'mine'})\nk = r['headers']['x-key']\nq = r['query']\ns = a.post('', {'v': n})\nj = s['json']\nd = {'get': 1}\ng = d.get('get')\naddResult(k)\naddResult(q)\naddResult(j)\naddResult(g)\naddResult(a)", want: `{"k":"secret","q":{"q":"1"},"j":{"v":5},"g":1,"a":null}`},
		{script: "a = avapConnector('shop')\na.get('http://example.com/')", code: diag.BadValue, want: "path"},
		{script: "a = avapConnector('shop')\na.get('x/../../y')", code: diag.BadValue, want: "segment"},
		{script: "a = avapConnector('" + api + "')\nr = a.get('/json')\naddResult(r)", want: `{"r":{"id":1,"name":"Ana"}}`},
		{script: "a = avapConnector('" + token(`{"type":"sqlite","file":"x.db"}`) + "')", code: diag.Forbidden, want: "api only"},
		{script: "a = avapConnector('no such')", code: diag.BadValue, want: "no connector"},
		{script: "a = avapConnector('db')\nb = a + 1", code: diag.TypeMismatch, want: "connector"},
		{script: "a = avapConnector('db')\nb = n.query('x')", code: diag.BadValue, want: "only a connector"},
	})
	checkEffects(t, nil, []effect{{script: "a = avapConnector('" + api + "')", code: diag.Forbidden, want: "not allowed"}})
}

func TestConnectorsAreNoVariables(t *testing.T) {
	e := realEngines(t, func(c *Config) {
		c.Commands.Connectors = map[string]commands.Connector{"db": {Type: "sqlite", File: filepath.Join(t.TempDir(), "c.db")}}
	})["compiler"]
	a, err := e.Run(context.Background(), &Request{Source: "db = avapConnector('db')\nt = type(db)\nl = [db]", EchoVariables: true})
	if err != nil || string(a.Variables) != `{"t":"connector","l":[null]}` {
		t.Errorf("%v, %v", a, err)
	}
}

// Where something cannot be done with null, the parameters are named that were not
// given.
func TestMissingParametersAreNamed(t *testing.T) {
	const script = `
addParam("quantity", quantity)
addParam("price", price)
addParam("note", text)
`
	for kind, e := range realEngines(t, nil) {
		for _, test := range []struct{ body, rest, want string }{
			{`{"price":2}`, "total = quantity * price", "quantity is null: does the request have this parameter?"},
			{`{"quantity":null,"price":2}`, "total = quantity * price", "quantity is null: does the request have this parameter?"},
			{`{}`, "total = quantity * 2", "quantity, price are null: does the request have these parameters?"},
			{`{}`, "total = len(quantity)", "quantity, price are null: does the request have these parameters?"},
			{`{"quantity":3,"price":2}`, "total = quantity * text", ""},
			{`{}`, "total = quantity + 1 / 0", ""},
			{`{}`, `raise("no 'NoneType' here")`, ""},
		} {
			_, err := e.Run(t.Context(), &Request{Source: script + test.rest, Body: []byte(test.body)})
			failure, ok := errors.AsType[*diag.Failure](err)
			if !ok || failure.Suggestion != test.want {
				t.Errorf("%v: %s with %s: %v, suggestion %q", kind, test.rest, test.body, err, failure.Suggestion)
			}
		}
	}
}
