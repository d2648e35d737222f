package load

import (
	"encoding/json"
	"testing"
)

func TestIncrement(t *testing.T) {
	data := Document(200)
	if len(data) != 200 || !json.Valid(data) {
		t.Errorf("%d bytes: %s", len(data), data)
	}
	for want := 1; want <= 12; want++ {
		changed, err := Increment(data)
		n, countErr := Count(changed)
		if err != nil || countErr != nil || n != want || !json.Valid(changed) {
			t.Fatalf("%s, %v, %v", changed, err, countErr)
		}
		data = changed
	}
	for _, bad := range []string{
		"", "{}", `{"count":x,}`, `{"count":1`, `{"count":11111111111111111111111111,}`,
	} {
		if _, err := Increment([]byte(bad)); err == nil {
			t.Errorf("%q was counted up", bad)
		}
	}
}
