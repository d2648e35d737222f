// Addition of JSON numbers as decimals, exactly.

package docpath

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/jsonstore/jsonstore/internal/splice"
)

// Add adds a JSON number to the one at a path, and returns the sum too. A missing
// value, or null, counts as 0. The sum has as many decimals as the more precise
// operand.
func Add(doc []byte, path, delta string, lim splice.Limits) (edited []byte, sum string, err error) {
	steps, err := parseEdit(path)
	if err != nil {
		return nil, "", err
	}
	by, err := parseDecimal(delta)
	if err != nil {
		return nil, "", fmt.Errorf("the number to add: %w", err)
	}
	current := "0"
	if len(doc) > 0 {
		l, err := splice.Locate(doc, toward(steps, splice.Last), lim)
		if err != nil {
			return nil, "", err
		}
		steps = pinned(l, steps)
		if n := l.End(); len(l.Nodes) > len(steps) && n.Kind != splice.Null {
			if n.Kind != splice.Number {
				return nil, "", fmt.Errorf("path %q: cannot add a number to %v",
					path, n.Kind)
			}
			current = string(doc[n.Start:n.End])
			value, err := parseDecimal(current)
			if err != nil {
				return nil, "", fmt.Errorf("path %q: %w", path, err)
			}
			sum = value.add(by).String()
			edited, err = splice.NewEditor(doc, l.Root).Replace(n, []byte(sum), splice.KeepOld, lim)
			return edited, sum, err
		}
	}
	sum = by.String()
	edited, err = set(doc, path, steps, []byte(sum), splice.KeepOld, lim)
	return edited, sum, err
}

// decimal is digits / 10^scale.
type decimal struct {
	digits *big.Int
	scale  int
}

// longestNumber bounds the work of an addition, which grows faster than the number of
// digits.
const longestNumber = 10_000

// largestExponent bounds the digits that an exponent can stand for. It is that of a
// float64, so that programs that read the sum as a float get a finite number.
const largestExponent = 308

func parseDecimal(text string) (decimal, error) {
	root, err := splice.Parse([]byte(text), splice.Limits{})
	if err != nil {
		return decimal{}, fmt.Errorf("%q is no JSON number", clip(text))
	}
	if root.Kind != splice.Number {
		return decimal{}, fmt.Errorf("%q is no JSON number, but %v", clip(text), root.Kind)
	}
	if text = text[root.Start:root.End]; len(text) > longestNumber {
		return decimal{}, fmt.Errorf("%s has %d characters; sums are for numbers of up to %d",
			clip(text), len(text), longestNumber)
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return decimal{}, fmt.Errorf("%q is no JSON number", clip(text))
	}
	d := decimal{digits, len(fraction)}
	if exponent != "" {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > largestExponent || e < -largestExponent {
			return decimal{}, fmt.Errorf("%s is out of the range in which sums are exact; "+
				"exponents go up to %d", clip(text), largestExponent)
		}
		d.scale -= e
		if d.scale < 0 {
			d.digits.Mul(d.digits, power(-d.scale))
			d.scale = 0
		}
	}
	return d, nil
}

// clip shortens a text for a message.
func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}

func power(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func (d decimal) add(other decimal) decimal {
	scale := max(d.scale, other.scale)
	a := new(big.Int).Mul(d.digits, power(scale-d.scale))
	b := new(big.Int).Mul(other.digits, power(scale-other.scale))
	return decimal{a.Add(a, b), scale}
}

func (d decimal) String() string {
	text := d.digits.String()
	if d.scale == 0 {
		return text
	}
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	if len(text) <= d.scale {
		text = strings.Repeat("0", d.scale+1-len(text)) + text
	}
	return sign + text[:len(text)-d.scale] + "." + text[len(text)-d.scale:]
}
