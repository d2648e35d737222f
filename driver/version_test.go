package driver

import (
	"errors"
	"testing"
)

func TestVersionText(t *testing.T) {
	for _, test := range []struct {
		version Version
		text    string
		kind    byte
	}{
		{Absent, "-", KindAbsent},
		{HashVersion(1, 0xabcdef, 17), "h:00000000000000010000000000abcdef-17", KindHash},
		{HashVersion(1<<63, 0, 1<<62),
			"h:80000000000000000000000000000000-4611686018427387904", KindHash},
		{MtimeVersion(1700000000123456789, 12, 99, 0, false),
			"m:1700000000123456789-12-99", KindMtime},
		{MtimeVersion(-5, 0, 1<<63, 1<<63, true),
			"m:-5-0-9223372036854775808-9223372036854775808", KindMtime},
		{RevisionVersion(7), "r:7", KindRevision},
		{ETagVersion(`"a-b"`), `e:"a-b"`, KindETag},
	} {
		if got := test.version.String(); got != test.text {
			t.Errorf("String() = %q, want %q", got, test.text)
		}
		parsed, err := ParseVersion(test.text)
		if err != nil || parsed != test.version {
			t.Errorf("ParseVersion(%q) = %v, %v", test.text, parsed, err)
		}
		if parsed.Kind() != test.kind {
			t.Errorf("%s: Kind() = %c, want %c", test.text, parsed.Kind(), test.kind)
		}
	}
}

func TestParseVersionRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "--", "- ", "x", "x:1", "h", "h:", "h:1-2", "r:", "r:-1", "r:01", "r:+1",
		"r:18446744073709551616", "e:", "any", "*",
		"h:0000000000000001000000000000000F-1", "h:00000000000000010000000000000001",
		"h:00000000000000010000000000000001-", "h:00000000000000010000000000000001-01",
		"h:00000000000000010000000000000001--1",
		"m:1", "m:1-2", "m:1-2-", "m:1-2-3-", "m:1-2-3-4-5", "m:--1-2-3",
		"m:-0-1-2", "m:1--2-3", "m:01-2-3", "m:1-2-3 ",
	} {
		if v, err := ParseVersion(text); !errors.Is(err, ErrVersion) || !v.IsAbsent() {
			t.Errorf("ParseVersion(%q) = %v, %v; want ErrVersion", text, v, err)
		}
	}
}

// FuzzParseVersion: a version prints as exactly the text that was parsed, so that two
// texts never stand for one version.
func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{
		"-", "h:00000000000000010000000000abcdef-17", "m:-5-0-9-9", "r:7", `e:"x"`, "m:1-2-3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVersion(text)
		if err != nil {
			if !errors.Is(err, ErrVersion) {
				t.Fatalf("error is not ErrVersion: %v", err)
			}
			return
		}
		if v.String() != text {
			t.Fatalf("%q parses and prints as %q", text, v)
		}
		var again Version
		if err := again.UnmarshalText([]byte(text)); err != nil || again != v {
			t.Fatalf("UnmarshalText(%q) = %v, %v", text, again, err)
		}
	})
}
