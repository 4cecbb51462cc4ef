package jsonscan_test

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/avapd/avapd/internal/jsonscan"
)

// FuzzSkip holds what counts as JSON to another reader.
func FuzzSkip(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-2.5e+3,true,false,null,"x\"\\\/\b\f\n\r\tA\ud83d\ude00é"]}`, ` [ ] `, `{}`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dA"`, `"\ud83d\n"`,
		`"\x41"`, `"\u00g0"`, `"\u004"`, `"\`, "\"\\n\xff\"", "\"\xff\"", `"\U0041"`, "\"\\u\x10041\"", `01`, `1.`, `[1,]`, `{"a"}`, `{1:2}`, `nul`, `1 2`, ``, "\"\\n\x01\"",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var scan jsonscan.Text
		scan.Open(text)
		err := scan.Whole(scan.Skip(0))
		decoder := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
		_, want := decoder.ReadValue()
		if want == nil && len(bytes.TrimLeft(text[decoder.InputOffset():], " \t\r\n")) > 0 {
			want = jsonscan.ErrTrailing
		}
		if (err == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	})
}

// What was read can be cut out, and nobody holds on to what was closed.
func TestFrom(t *testing.T) {
	var scan jsonscan.Text
	scan.Open([]byte(`  [1, 2] `))
	scan.Next()
	at := scan.At()
	if err := scan.Skip(0); err != nil {
		t.Fatal(err)
	}
	if got := scan.From(at); string(got) != "[1, 2]" || cap(got) != len(got) || scan.Next() != 0 {
		t.Errorf("%q", got)
	}
}
