package cli

import (
	"testing"
)

// TestPlain: plain expressions have the same results as in a separate process, and no
// other expression counts as plain.
func TestPlain(t *testing.T) {
	task := exprTask{
		Names:  []string{"$text", "$number", "$list"},
		Values: [][]byte{[]byte(`"a b"`), []byte("12345678901234567890"), []byte("[1,[2]]")},
	}
	documents := []string{
		`{"n":1.10,"a b":{"x":[1]},"s":"t","l":[0],"o":{}}`, `{}`, `[1,2]`, `"s"`, "null", "",
	}
	for _, text := range []string{
		".n += 1", ".n -= 2.50", ".n -= -3", ".n = 1e400", ".n = $number", ".n += $number",
		".s += \"\\n\\u0000\"", ".s = \"x\"", ".s = null", ".s += true", ".s = false",
		".l += $list", ".o += $list",
		`."a b".x = 1`, `.["a b"].x = 1`, ".[$text].x += $list", ".new.deep.er = $text",
		"del(.n)", "del(.new.deep)", `del(.["a b"].x)`, "del(.[$text])", ".n += 1 | .s = 2 | del(.l)",
	} {
		task.Text = []byte(text)
		p := startTest(t, task)
		if p.plain == nil {
			t.Errorf("%s is not plain", text)
			continue
		}
		other := &program{task: task}
		t.Cleanup(other.close)
		for _, document := range documents {
			old := []byte(document)
			if document == "" {
				old = nil
			}
			got, err := p.run(t.Context(), old)
			want, wantErr := other.run(t.Context(), old)
			if string(got) != string(want) || (err == nil) != (wantErr == nil) ||
				err != nil && err.Error() != wantErr.Error() {
				t.Errorf("%s on %q: %s, %v, want %s, %v", text, document, got, err, want, wantErr)
			}
		}
	}
	for _, text := range []string{
		".", ".n", "..", "1", ".n |= 1", ".n *= 2", ".n //= 1", ".n = .", ".n += .", ".n = .s",
		".n -= $list", ".n -= $number",
		".l[0] = 1", ".l[500000000] = 1", ".l[$number] = 1", ".l[0:1] = []", ".[] = 1",
		".l[] += 1", ".n? = 1", ".. = 1",
		"del(.l[0])", "del(.[])", "del(.n, .s)", "del(.n; .s)", "delete(.n)",
		"def f: .; .n = 1", "$list", ".n = [.]", ".n = {a: .}",
		".n = \"\\(.)\"", ".n = ($list | .)", ".n = -$number", ".n = $list[0]", "(.n) = 1",
		".n, .s = 1", "1 as $x | .n = $x",
		"reduce range(9) as $i (.; .n = 1)", ".n = 1 | .", ".n = 1 | .s = .", ".n = input",
		".n = now", ".n = $ENV", ".\"\\(.s)\" = 1", "",
	} {
		task.Text = []byte(text)
		if task.plain() != nil {
			t.Errorf("%s is taken for plain", text)
		}
	}
}
