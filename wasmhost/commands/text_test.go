package commands

import (
	"reflect"
	"testing"

	"github.com/avapd/avapd/internal/datasource"
	"github.com/avapd/avapd/wasmhost"
)

func TestFillPlaceholders(t *testing.T) {
	text, value := datasource.Text, datasource.Value
	named := wasmhost.Object{{Name: "a", Value: int64(1)}, {Name: "b_2", Value: "x"}}
	for _, test := range []struct {
		sql    string
		values any
		want   []datasource.Part
		err    string
	}{
		{"a = ? AND b = %s", []any{int64(1), "x"}, []datasource.Part{text("a = "), value(int64(1)), text(" AND b = "), value("x"), text("")}, ""},
		{"a = '?' AND \"?\" = ? -- ?\n/* ? */", []any{nil}, []datasource.Part{text("a = '?' AND \"?\" = "), value(nil), text(" -- ?\n/* ? */")}, ""},
		{":a::int = %(b_2)s", named, []datasource.Part{text(""), value(int64(1)), text("::int = "), value("x"), text("")}, ""},
		{"'it''s ?' = ?", []any{true}, []datasource.Part{text("'it''s ?' = "), value(true), text("")}, ""},
		{"a = '?", []any{}, []datasource.Part{text("a = '?")}, ""},
		{"?", []any{}, nil, "0 values are too few for the placeholders"},
		{"?", []any{1, 2}, nil, "2 values but 1 placeholders"},
		{":c", named, nil, "no value for the placeholder c"},
		{"?", "x", nil, "the values of placeholders are a list or a dict"},
	} {
		got, err := fillPlaceholders([]datasource.Part{text(test.sql)}, test.values)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%s: %v, want %s", test.sql, err, test.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\ngot  %v, %v\nwant %v", test.sql, got, err, test.want)
		}
	}
}

func TestDecodeText(t *testing.T) {
	for _, test := range []struct{ body, charset, want string }{
		{"se\xf1or", "ISO-8859-1", "señor"},
		{"se\xf1or", "", "señor"},
		{"señor", "", "señor"},
		{"señor", "utf-8", "señor"},
		{"\ufeffx", "", "x"},
		{"", "", ""},
	} {
		if got := decodeText([]byte(test.body), test.charset); got != test.want {
			t.Errorf("%q as %q: %q, want %q", test.body, test.charset, got, test.want)
		}
	}
}

// No path of a connector leads out of its API.
func TestConnectorTarget(t *testing.T) {
	c, err := newAPI(Connector{URL: "https://api.example.com/v1?key=k"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                    "https://api.example.com/v1?key=k",
		"/orders?x=1":         "https://api.example.com/v1/orders?key=k&x=1",
		"orders/a%2Fb":        "https://api.example.com/v1/orders/a%2Fb?key=k",
		"http://other/":       "",
		"//other/x":           "",
		"../admin":            "",
		"a/%2e%2e/%2e%2e/adm": "",
		"mailto:x":            "",
	} {
		got, err := c.target(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
}
