// The law of MergeChange, on random values of Go types: decoded again, the result is
// the changed value, and members that the type does not know stay unchanged and in
// place.

package splice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

type lawItem struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
	N    int    `json:"n,omitempty"`
	Sub  struct {
		X int `json:"x"`
		Y int `json:"y,omitempty"`
	} `json:"sub"`
	Tags []string `json:"tags"`
}

type lawDoc struct {
	Name    string
	Other   string              `json:"NAME"` // differs from the one before in case only
	Count   int                 `json:"count,omitempty"`
	Price   float64             `json:"price"`
	On      bool                `json:"on,omitempty"`
	Item    lawItem             `json:"item"`
	Pointer *lawItem            `json:"pointer"`
	Left    *lawItem            `json:"left,omitempty"`
	Items   []lawItem           `json:"items"`
	Nested  [][]lawItem         `json:"nested,omitempty"`
	Fixed   [2]lawItem          `json:"fixed"`
	Map     map[string]int      `json:"map"`
	Structs map[string]*lawItem `json:"structs,omitempty"`
	Any     any                 `json:"any"`
}

// law makes values of types and JSON for them.
type law struct {
	*rand.Rand
	id int // of the last item; each item has another id
}

func (g *law) fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			g.fill(v.Field(i), depth-1)
		}
		if v.Type() == reflect.TypeFor[lawItem]() {
			g.id++
			v.Field(0).SetInt(int64(g.id))
		}
	case reflect.Pointer:
		if v.SetZero(); g.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		if v.SetZero(); g.IntN(4) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), g.IntN(5), 8))
			for i := range v.Len() {
				g.fill(v.Index(i), depth-1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range g.IntN(4) {
			value := reflect.New(v.Type().Elem()).Elem()
			g.fill(value, depth-1)
			v.SetMapIndex(reflect.ValueOf([]string{"k", "K", "l", "x"}[g.IntN(4)]), value)
		}
	case reflect.String:
		v.SetString([]string{"", "a", "b", "é\"", "c"}[g.IntN(5)])
	case reflect.Int:
		v.SetInt(int64(g.IntN(4)))
	case reflect.Float64:
		v.SetFloat([]float64{0, 1, 1.5, 1e21}[g.IntN(4)])
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.Interface:
		v.Set(reflect.ValueOf([]any{1.0, "s", map[string]any{"k": 1.0, "K": "x"},
			[]any{1.0, map[string]any{"id": 1.0}}}[g.IntN(4)]))
	}
}

// edit changes a value in some places. It never changes an id: elements go, come, move
// and change.
func (g *law) edit(v reflect.Value) {
	if g.IntN(3) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "ID" && g.IntN(4) == 0 {
				g.edit(v.Field(i))
			}
		}
	case reflect.Pointer:
		switch {
		case v.IsNil():
			g.fill(v, 3)
		case g.IntN(4) == 0:
			v.SetZero()
		default: // of another one, since a map or slice has the old one yet
			elem := reflect.New(v.Type().Elem())
			elem.Elem().Set(v.Elem())
			g.edit(elem.Elem())
			v.Set(elem)
		}
	case reflect.Array:
		for i := range v.Len() {
			g.edit(v.Index(i))
		}
	case reflect.Slice:
		var elems []reflect.Value
		for i := range v.Len() {
			elem := reflect.New(v.Type().Elem()).Elem()
			elem.Set(v.Index(i))
			switch g.IntN(5) {
			case 0:
				continue
			case 1:
				g.edit(elem)
			}
			elems = append(elems, elem)
		}
		if g.IntN(3) == 0 {
			elem := reflect.New(v.Type().Elem()).Elem()
			g.fill(elem, 2)
			at := g.IntN(len(elems) + 1)
			elems = append(elems[:at:at], append([]reflect.Value{elem}, elems[at:]...)...)
		}
		if g.IntN(4) == 0 {
			g.Shuffle(len(elems), func(i, j int) { elems[i], elems[j] = elems[j], elems[i] })
		}
		slice := reflect.MakeSlice(v.Type(), 0, len(elems))
		v.Set(reflect.Append(slice, elems...))
	case reflect.Map:
		edited := reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			if g.IntN(3) > 0 {
				g.edit(value)
			}
			if g.IntN(5) > 0 {
				edited.SetMapIndex(key, value)
			}
		}
		if g.IntN(3) == 0 {
			value := reflect.New(v.Type().Elem()).Elem()
			g.fill(value, 2)
			if key := reflect.ValueOf([]string{"k", "K", "l",
				"new"}[g.IntN(4)]); !v.MapIndex(key).IsValid() {
				edited.SetMapIndex(key, value)
			}
		}
		v.Set(edited)
	default:
		g.fill(v, 3)
	}
}

// write writes a value as JSON, with members that the type does not know, keys in other
// cases, keys twice in two cases, and without some members. The unknown members have the
// path in them.
func (g *law) write(out *bytes.Buffer, v reflect.Value, folds bool) {
	blank := func() { out.WriteString([]string{"", " ", "\n  "}[g.IntN(3)]) }
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		g.write(out, v.Elem(), folds)
	case v.Kind() == reflect.Struct:
		out.WriteByte('{')
		comma := ""
		member := func(key string, value func()) {
			out.WriteString(comma)
			blank()
			out.Write(Quote(key))
			out.WriteString(":")
			value()
			comma = ","
		}
		seen := map[string]bool{}
		order := g.Perm(v.NumField())
		for _, i := range append(order, order[:2]...) {
			field := v.Type().Field(i)
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if key == "" {
				key = field.Name
			}
			if folds && key != "id" && g.IntN(3) == 0 {
				key = []string{strings.ToUpper(key), strings.ToLower(key),
					strings.ToUpper(key[:1]) + key[1:]}[g.IntN(3)]
			}
			if !seen[key] && (key == "id" || g.IntN(8) > 0) {
				member(key, func() {
					if i < 3 && folds && g.IntN(8) == 0 {
						out.WriteString("null")
					} else {
						g.write(out, v.Field(i), folds)
					}
				})
				seen[key] = true
			}
			if g.IntN(4) == 0 {
				g.id++
				member(fmt.Sprintf("u%d", g.id),
					func() { fmt.Fprintf(out, `{ "name" :[%d.0 ]}`, g.id) })
			}
		}
		blank()
		out.WriteByte('}')
	case v.Kind() == reflect.Slice && !v.IsNil() || v.Kind() == reflect.Array:
		out.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				out.WriteByte(',')
			}
			blank()
			g.write(out, v.Index(i), folds)
		}
		out.WriteByte(']')
	case v.Kind() == reflect.Map && !v.IsNil():
		out.WriteByte('{')
		for i, key := range v.MapKeys() {
			if i > 0 {
				out.WriteByte(',')
			}
			blank()
			out.Write(Quote(key.String()))
			out.WriteByte(':')
			g.write(out, v.MapIndex(key), folds)
		}
		out.WriteByte('}')
	default:
		encoded, _ := json.Marshal(v.Interface())
		out.Write(encoded)
	}
}

// unknown collects the members that types do not know, by place: the ids of the items
// around them.
func unknown(value any, path string, found map[string]string) {
	switch value := value.(type) {
	case map[string]any:
		if id, ok := value["id"]; ok {
			path = fmt.Sprint("item ", id)
		}
		for key, member := range value {
			if key[0] == 'u' && len(key) > 1 && key[1] <= '9' {
				found[key] = path
				continue
			}
			unknown(member, path+"/"+strings.ToLower(key), found)
		}
	case []any:
		for _, elem := range value {
			unknown(elem, path, found)
		}
	}
}

// ids are those of all items in a value.
func ids(value any, found map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		if id, ok := value["id"]; ok {
			found[fmt.Sprint("item ", id)] = true
		}
		for _, member := range value {
			ids(member, found)
		}
	case []any:
		for _, elem := range value {
			ids(elem, found)
		}
	}
}

func decodeAny(t *testing.T, data []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return value
}

func TestMergeChangeLaw(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text, ok := os.LookupEnv("JSONSTORE_SPLICE_SEED"); ok {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("JSONSTORE_SPLICE_SEED=%d", seed)
	rounds := 2000
	if text, ok := os.LookupEnv("JSONSTORE_SPLICE_EDITS"); ok {
		rounds, _ = strconv.Atoi(text)
		rounds /= 10
	}
	g := &law{Rand: rand.New(rand.NewPCG(seed, 3))}
	for n := range rounds {
		folds := n%2 == 0
		var value lawDoc
		g.fill(reflect.ValueOf(&value).Elem(), 4)
		var old bytes.Buffer
		g.write(&old, reflect.ValueOf(value), folds)
		value = lawDoc{}
		if err := json.Unmarshal(old.Bytes(), &value); err != nil {
			t.Fatalf("%s: %v", old.Bytes(), err)
		}
		before, _ := json.Marshal(value)
		g.edit(reflect.ValueOf(&value).Elem())
		after, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		merged, err := MergeChange(old.Bytes(), before, after, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var again lawDoc
		err = json.Unmarshal(merged, &again)
		encoded, _ := json.Marshal(again)
		if err != nil || !bytes.Equal(encoded, after) {
			t.Fatalf("round %d: %s\nwith %s\n->   %s\ngives %s,\ni.e. %s, %v", n, old.Bytes(),
				before, after, merged, encoded, err)
		}
		if bytes.Equal(before, after) && !bytes.Equal(merged, old.Bytes()) {
			t.Fatalf("round %d: %s\nwithout a change became %s", n, old.Bytes(), merged)
		}
		if folds {
			continue
		}
		nested := map[string]bool{} // the match between nested arrays is not always unique
		var keep struct{ Nested any }
		_ = json.Unmarshal(before, &keep)
		ids(keep.Nested, nested)
		was, is, left := map[string]string{}, map[string]string{}, map[string]bool{}
		unknown(decodeAny(t, old.Bytes()), "", was)
		unknown(decodeAny(t, merged), "", is)
		ids(decodeAny(t, after), left)
		for key, path := range was {
			now, there := is[key]
			if item, _, in := strings.Cut(path, "/"); there && now != path || !there &&
				(!in && left[path] || in && (item == "" || left[item])) &&
				!strings.Contains(path, "structs") && !nested[item] {
				t.Fatalf("round %d: %s of %q is now in %q (%v)\n%s\nwith %s\n->   %s\ngives %s",
					n, key, path, now, there, old.Bytes(), before, after, merged)
			}
			if there && !bytes.Contains(merged,
				fmt.Appendf(nil, `"%s":{ "name" :[%s.0 ]}`, key, key[1:])) {
				t.Fatalf("round %d: %s is spelled in another way in %s", n, key, merged)
			}
		}
	}
}
