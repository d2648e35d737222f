// Go values as JSON.

package store

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// encode is json.Marshal without the escapes that only HTML needs. It refuses text that
// is not UTF-8, which json.Marshal replaces. The error is ErrInvalid.
func encode(value any) ([]byte, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("%w: the value cannot be encoded: %w", ErrInvalid, err)
	}
	text := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	// json.Marshal writes invalid UTF-8 in this way, but not U+FFFD. A type that
	// encodes itself may write that too.
	if bytes.Contains(text, []byte(`\ufffd`)) {
		if bad := badText(reflect.ValueOf(value)); bad != nil {
			return nil, fmt.Errorf("%w: the text %q is not valid UTF-8, which JSON has to be; "+
				"convert it, or encode bytes as base64, which []byte does", ErrInvalid, clip(*bad))
		}
	}
	return text, nil
}

// clip shortens a text for a message.
func clip(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

// badText finds a string that is not UTF-8 in a value that json.Marshal has encoded, so
// it has no cycles.
func badText(v reflect.Value) *string {
	if !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
		return nil
	}
	self := v
	if v.CanAddr() && v.Kind() != reflect.Pointer {
		self = v.Addr() // whose methods include those of v
	}
	if self.CanInterface() {
		switch v := self.Interface().(type) {
		case json.Marshaler:
			return nil // its text is its own, and checked as JSON
		case encoding.TextMarshaler:
			if text, err := v.MarshalText(); err == nil {
				return unlessValid(string(text))
			}
			return nil
		}
	}
	switch v.Kind() {
	case reflect.String:
		return unlessValid(v.String())
	case reflect.Pointer, reflect.Interface:
		return badText(v.Elem())
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		for i := range v.Len() {
			if bad := badText(v.Index(i)); bad != nil {
				return bad
			}
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			if bad := badText(key); bad != nil {
				return bad
			}
			if bad := badText(value); bad != nil {
				return bad
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Tag.Get("json") == "-" || !field.IsExported() && !field.Anonymous {
				continue
			}
			if bad := badText(v.Field(i)); bad != nil {
				return bad
			}
		}
	}
	return nil
}

func unlessValid(text string) *string {
	if utf8.ValidString(text) {
		return nil
	}
	return &text
}
