// Valid and invalid JSON, compared with encoding/json.

package splice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheck(t *testing.T) {
	valid := []string{
		"null", " true ", "\t\r\nfalse\n", "0", "-0", "1.10", "-1.5e+10", "1E400", `""`, `"a\"\\\/\b\f\n\r\t\u00e9"`, `"é日𝄞"`, `"\ud800"`,
		"[]", "{}", "[ ]", "{ }", "[1,[2],{}]", `{"a":1,"b":{"a":1}}`, `{"":{"":0}}`, strings.Repeat("[", 10000) + strings.Repeat("]", 10000),
	}
	for _, doc := range valid {
		if err := Check([]byte(doc), Limits{}); err != nil {
			t.Errorf("%.50q: %v", doc, err)
		}
		root, err := Parse([]byte(doc), Limits{})
		if err != nil || strings.TrimSpace(doc) != doc[root.Start:root.End] {
			t.Errorf("Parse(%.50q) = %v, %v", doc, root, err)
		}
	}
	many := func(last string) string {
		var b strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&b, `"k%d":0,`, i)
		}
		return "{" + b.String() + last + ":0}"
	}
	if err := Check([]byte(many(`"k1000"`)), Limits{}); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		doc, want string
	}{
		{"", "line 1, column 1: the document is empty"},
		{" \n ", "line 2, column 2: the document is empty"},
		{"\xef\xbb\xbf{}", "line 1, column 1: the document begins with a byte order mark"},
		{"{}{}", "line 1, column 3: trailing data after the document"},
		{"{}\n\nx", "line 3, column 1: trailing data after the document"},
		{"{}\x00", "column 3: trailing data"},
		{"{", "line 1, column 2: unexpected end of the document, want a key in quotes"},
		{`{"a"`, "column 5: unexpected end of the document, want ':'"},
		{`{"a":`, "column 6: unexpected end of the document, want a value"},
		{`{"a":1`, "column 7: unexpected end of the document, want ',' or '}'"},
		{`{"a":1,}`, "column 8: unexpected '}', want a key in quotes"},
		{`{a:1}`, "column 2: unexpected 'a', want a key in quotes"},
		{`[1,]`, "column 4: unexpected ']', want a value"},
		{`[1 2]`, "column 4: unexpected '2', want ',' or ']'"},
		{"[1", "column 3: unexpected end"},
		{"]", "column 1: unexpected ']', want a value"},
		{"nul", "column 4: unexpected end of the document, want null"},
		{"nulL", "column 4: unexpected 'L', want null"},
		{"NaN", "column 1: unexpected 'N'"},
		{"01", "column 2: a number may not begin with 0"},
		{"-01", "column 3: a number may not begin with 0"},
		{"-", "column 2: unexpected end of the document, want a digit"},
		{"1.", "want a digit"}, {"1.e1", "want a digit"}, {".5", "unexpected '.'"}, {"+1", "unexpected '+'"}, {"1e", "want a digit"}, {"0x1", "trailing data"},
		{`"abc`, "column 1: unterminated string"},
		{"\"a\nb\"", "column 3: control character '\\n'"},
		{`"\x"`, "column 3: unexpected 'x', want one of"},
		{`"\u12G4"`, "column 6: unexpected 'G', want four hex digits"},
		{`"\`, "want an escape"},
		{"\"\xff\"", "column 2: invalid UTF-8"},
		{"\"\xc0\xaf\"", "column 2: invalid UTF-8"},
		{"\"\xed\xa0\x80\"", "column 2: invalid UTF-8"},
		{"\xff", "column 1: invalid UTF-8"},
		{"{\"\xff\":1}", "column 3: invalid UTF-8"},
		{"'a'", "unexpected '\\''"},
		{"{\n  \"a\": 1,\n  \"a\": 2}", `line 3, column 3: duplicate key "a"`},
		{`{"a":1,"\u0061":2}`, `duplicate key "\u0061"`},
		{`[{"a":1},{"b":{"c":1,"c":2}}]`, `duplicate key "c"`},
		{many(`"k7"`), `duplicate key "k7"`},
		{strings.Repeat("[", 10001) + strings.Repeat("]", 10001), "column 10001: nested deeper than 10000 levels"},
		{strings.Repeat("[", 12_000_000), "nested deeper than 10000 levels"},
		{strings.Repeat(`{"a":`, 12_000_000/5), "nested deeper than 10000 levels"},
	} {
		err := Check([]byte(test.doc), Limits{})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.50q: %v, want %s", test.doc, err, test.want)
		}
		if _, parseErr := Parse([]byte(test.doc), Limits{}); parseErr == nil ||
			parseErr.Error() != err.Error() {
			t.Errorf("%.50q: Parse says %v, Check %v", test.doc, parseErr, err)
		}
	}
	if err := Check([]byte(`{"a":1,"a":2}`), Limits{AllowDuplicateKeys: true}); err != nil {
		t.Error(err)
	}
	if err := Check([]byte(`[[1]]`), Limits{Depth: 1}); err == nil {
		t.Error("a depth of 2 was accepted, the limit being 1")
	}
	deep := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)
	if err := Check([]byte(deep), Limits{Depth: 1 << 30}); err == nil {
		t.Error("no limit is so large that it endangers the stack")
	}
}

// hasDuplicates asks encoding/json for the keys of each object.
func hasDuplicates(data []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var open []map[string]bool // nil for an array
	key := false
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return false
		}
		if err != nil {
			panic(err)
		}
		switch token {
		case json.Delim('{'):
			open, key = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open, key = append(open, nil), false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if key {
				keys := open[len(open)-1]
				if keys[token.(string)] {
					return true
				}
				keys[token.(string)] = true
				key = false
				continue
			}
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}

// FuzzCheck compares with encoding/json, which is as strict except for UTF-8 and
// duplicate keys.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\u00e9"],"b":{}}`, `{"a":1,"a":2}`, `[1,]`,
		"\"\xff\"", " null ", `"\ud834\udd1e"`, "\xef\xbb\xbf1"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want := json.Valid(data) && utf8.Valid(data) && !hasDuplicates(data)
		err := Check(data, Limits{})
		if (err == nil) != want {
			t.Fatalf("%q: %v, want valid: %v", data, err, want)
		}
		err = Check(data, Limits{AllowDuplicateKeys: true})
		if (err == nil) != (json.Valid(data) && utf8.Valid(data)) {
			t.Fatalf("%q, double keys allowed: %v", data, err)
		}
		if _, err := Parse(data, Limits{}); (err == nil) != want {
			t.Fatalf("Parse(%q): %v, want valid: %v", data, err, want)
		}
	})
}

func sized(bytes int) []byte {
	var b strings.Builder
	b.WriteString("{\n")
	for i := 0; b.Len() < bytes; i++ {
		fmt.Fprintf(&b, "  \"key%d\": {\"name\": \"somebody\", \"tags\": [\"x\", \"y\"], "+
			"\"n\": %d.5},\n", i, i)
	}
	b.WriteString("  \"end\": null\n}\n")
	return []byte(b.String())
}

func BenchmarkCheck(b *testing.B) {
	for _, size := range []int{200, 10 << 10, 1 << 20} {
		data := sized(size)
		for name, f := range map[string]func(){
			"check":      func() { _ = Check(data, Limits{}) },
			"parse":      func() { _, _ = Parse(data, Limits{}) },
			"json.Valid": func() { json.Valid(data) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for range b.N {
					f()
				}
			})
		}
	}
}
