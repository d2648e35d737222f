// The exact value of a number, whatever its spelling and size.

package splice

import (
	"bytes"
	"cmp"
	"iter"
	"math/big"
	"strconv"
)

// number is a number of up to 18 digits and a power of ten of at most 1e15: digits,
// without trailing zeros, times 10^power. 0 and -0 are 0 times 10^0.
type number struct {
	negative bool
	digits   uint64
	power    int64
}

// mantissa splits a number: its digits without leading and trailing zeros, and the
// difference between the power of ten of the last of them and the exponent.
func mantissa(text []byte) (negative bool, digits []byte, shift int64, exponent []byte) {
	if text[0] == '-' {
		negative, text = true, text[1:]
	}
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		text, exponent = text[:e], text[e+1:]
	}
	digits, fraction, _ := bytes.Cut(text, []byte{'.'})
	if len(fraction) > 0 {
		digits = append(bytes.Clone(digits), fraction...)
	}
	digits = bytes.TrimLeft(digits, "0")
	trimmed := bytes.TrimRight(digits, "0")
	return negative, trimmed, int64(len(digits)-len(trimmed)) - int64(len(fraction)), exponent
}

// parseNumber returns a number if it fits. If one spelling of a number fits, all do.
func parseNumber(text []byte) (n number, ok bool) {
	if len(text) <= 18 {
		if n, ok = parseDecimal(text); ok {
			return n, true
		}
	}
	negative, digits, power, exponent := mantissa(text)
	switch {
	case len(digits) == 0:
		return number{}, true
	case len(digits) > 18 || len(exponent) > 1000:
		return number{}, false
	}
	sign, exponent := splitSign(exponent)
	if exponent = bytes.TrimLeft(exponent, "0"); len(exponent) > 18 {
		return number{}, false
	}
	e := int64(0)
	if len(exponent) > 0 {
		e, _ = strconv.ParseInt(string(exponent), 10, 64)
	}
	if power += sign * e; power > 1e15 || power < -1e15 {
		return number{}, false
	}
	value, _ := strconv.ParseUint(string(digits), 10, 64)
	return number{negative, value, power}, true
}

func splitSign(exponent []byte) (int64, []byte) {
	switch {
	case len(exponent) > 0 && exponent[0] == '-':
		return -1, exponent[1:]
	case len(exponent) > 0 && exponent[0] == '+':
		return 1, exponent[1:]
	}
	return 1, exponent
}

// parseDecimal is parseNumber for numbers of at most 18 bytes without an exponent.
func parseDecimal(text []byte) (n number, ok bool) {
	for i, c := range text {
		switch {
		case '0' <= c && c <= '9':
			n.digits = 10*n.digits + uint64(c-'0')
		case c == '-' && i == 0:
			n.negative = true
		case c == '.':
			n.power = int64(i + 1 - len(text)) // the digits of the fraction, negative
		default:
			return number{}, false
		}
	}
	if n.digits == 0 {
		return number{}, true // -0 is 0, as in arithmetic
	}
	for n.digits%10 == 0 {
		n.digits /= 10
		n.power++
	}
	return n, true
}

// canonical maps all spellings of a number to one. Powers of ten are not expanded,
// however large they are.
func canonical(text []byte) string {
	negative, digits, shift, exponent := mantissa(text)
	if len(digits) == 0 {
		return "0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	if len(exponent) > 1000 {
		// Not worth the arithmetic: such a number equals only its own spelling.
		return sign + string(digits) + "E" + string(exponent) + "," + strconv.FormatInt(shift, 10)
	}
	power := new(big.Int)
	if len(exponent) > 0 {
		power.SetString(string(exponent), 10)
	}
	return sign + string(digits) + "e" + power.Add(power, big.NewInt(shift)).String()
}

// equalNumbers reports whether two numbers have the same value.
func equalNumbers(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, okX := parseNumber(a)
	y, okY := parseNumber(b)
	if okX || okY {
		return okX && okY && x == y
	}
	return canonical(a) == canonical(b)
}

// closeNumbers reports whether b may be a after rounding to a float.
func closeNumbers(a, b []byte) bool {
	x, _ := strconv.ParseFloat(string(a), 64)
	y, _ := strconv.ParseFloat(string(b), 64)
	return x == y || bytes.IndexByte(b, '.') >= 0 && float32(x) == float32(y)
}

// CompareNumbers compares the values of two numbers exactly: -1 if a is less than b, 1
// if it is greater, 0 if they are equal.
func CompareNumbers(a, b []byte) int {
	if equalNumbers(a, b) {
		return 0
	}
	x, y := sizeOf(a), sizeOf(b)
	if x.sign != y.sign {
		return cmp.Compare(x.sign, y.sign)
	}
	order := x.point.Cmp(y.point)
	if order == 0 {
		order = bytes.Compare(x.digits, y.digits) // neither has trailing zeros
	}
	return x.sign * order
}

// size is a number as sign * 0.digits * 10^point.
type size struct {
	sign   int
	digits []byte
	point  *big.Int
}

func sizeOf(text []byte) size {
	negative, digits, shift, exponent := mantissa(text)
	s := size{sign: 1, digits: digits, point: new(big.Int)}
	if negative {
		s.sign = -1
	}
	if len(digits) == 0 {
		s.sign = 0
	}
	if len(exponent) > 0 {
		s.point.SetString(string(exponent), 10)
	}
	s.point.Add(s.point, big.NewInt(shift+int64(len(digits))))
	return s
}

// Numbers iterates over the texts of the numbers in valid JSON.
func Numbers(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner{source: &source{data: data}}
		for s.pos < len(data) {
			start := s.pos
			switch c := data[s.pos]; {
			case c == '"':
				_, _ = s.str()
			case c == '-' || '0' <= c && c <= '9':
				if s.number() != nil || !yield(data[start:s.pos]) {
					return
				}
			default:
				s.pos++
			}
		}
	}
}
