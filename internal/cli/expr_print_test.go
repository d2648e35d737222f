package cli

import "testing"

// TestLook: expressions of --print that only look up keys and indexes run in place,
// with the same results as in a separate process; no others do.
func TestLook(t *testing.T) {
	task := exprTask{Names: []string{"$key"}, Values: [][]byte{[]byte(`"a b"`)}}
	old, new := []byte(`{"n":1.10,"a b":{"x":[1,[2]]},"l":[0,1]}`), []byte(`{"n":2}`)
	for _, text := range []string{
		".", ".n", "$old", "$new", "$old.n", "$new.n", "$old.l[0]", "$old.l[-1]", "$old.l[7]",
		`$old["a b"].x[1][0]`, "$old[$key].x", `."a b"`, `.["n"]`, "$old.n.x", "$old.n[0]",
	} {
		p, err := compilePrint(t.Context(), text, task)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.close)
		if p.plain == nil {
			t.Errorf("%s is no look", text)
			continue
		}
		other := &program{task: p.task}
		t.Cleanup(other.close)
		for _, before := range [][]byte{old, nil} {
			got, err := p.print(t.Context(), before, new)
			want, wantErr := other.print(t.Context(), before, new)
			if string(got) != string(want) || (err == nil) != (wantErr == nil) ||
				err != nil && err.Error() != wantErr.Error() {
				t.Errorf("%s: %s, %v, want %s, %v", text, got, err, want, wantErr)
			}
		}
	}
	for _, text := range []string{
		"..", "1", "$old.l[]", "$old.l[0:1]", "$old.n?", "[$old]", "{a: $old}", "$old, $new",
		"$old.n + 1", "$old.n = 1", "del(.n)", "$key", "$old | .n", "if . then 1 else 2 end",
		"def f: .; f", ". as $x | $x", `"\(.)"`, "-.n", ".l[$old.n]", "input",
	} {
		task.Text, task.Pair = []byte(text), true
		if task.plain() != nil {
			t.Errorf("%s is taken for a look", text)
		}
	}
}
