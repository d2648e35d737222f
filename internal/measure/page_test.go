package measure

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
)

// made returns a report with invented figures.
func made() *Report {
	c := Config{Processes: 8}
	r := &Report{Dir: `/tmp/a<b>&"c`, Date: "2026-01-02", Seconds: 12.5, Command: "jsonstore bench",
		Machine: Machine{System: "linux/amd64", Cores: 4, FileSystem: "ext4", FlushOrder: "journal",
			Go: "go1.x", Program: "v1"}}
	for i, u := range c.plan() {
		if u.Mode == "mtime" && u.Sync == "ordered" {
			u.Failure = "times are <coarse>"
		} else {
			u.RatePerS, u.MedianUs, u.P999Us, u.LongestUs = float64(
				1000+i*7), float64(100+i), float64(500+3*i), float64(900+3*i)
			u.Updates, u.Fairness, u.Conflicts = 1000+i, 0.5, uint64(i)
		}
		r.Updates = append(r.Updates, u)
	}
	for i, size := range sizes {
		r.Reads = append(r.Reads, Read{Bytes: size, FirstUs: float64(10 + 100*i), UnchangedUs: 1.5})
	}
	r.Advice = advise(r)
	return r
}

// TestPageIsWhole: the page is well-formed, loads nothing from elsewhere, and has all figures.
func TestPageIsWhole(t *testing.T) {
	r := made()
	page := r.Page()
	decoder := xml.NewDecoder(bytes.NewReader(page))
	decoder.Entity = xml.HTMLEntity
	charts, cells := 0, map[string]bool{}
	var cell *strings.Builder
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch token.Name.Local {
			case "script", "img", "iframe", "object", "base", "form":
				t.Errorf("there is a <%s>", token.Name.Local)
			case "td":
				cell = &strings.Builder{}
			}
			for _, a := range token.Attr {
				switch name := a.Name.Local; {
				case name == "class" && a.Value == "chart":
					charts++
				case strings.HasPrefix(name, "on"), name == "src", name == "href" &&
					a.Value != "data:,":
					t.Errorf("there is %s=%q", name, a.Value)
				}
			}
		case xml.EndElement:
			if token.Name.Local == "td" {
				cells[cell.String()] = true
			}
		case xml.CharData:
			if cell != nil {
				cell.Write(token)
			}
		}
	}
	if charts != 10 {
		t.Errorf("%d charts", charts)
	}
	rest := strings.ReplaceAll(string(page), `xmlns="http://www.w3.org/2000/svg"`, "")
	for _, unwanted := range []string{"http:", "https:", "//", "url(", "@import", "NaN", "Inf",
		"%!"} {
		if at := strings.Index(rest, unwanted); at >= 0 {
			t.Errorf("there is %q: %q", unwanted, rest[max(0, at-40):at+40])
		}
	}
	for _, u := range r.Updates {
		if u.Measured() && !cells[fmt.Sprint(u.RatePerS)] {
			t.Errorf("the rate %v is in no table", u.RatePerS)
		}
		if u.Measured() && u.Section == byProcesses && u.Mode == "hash" &&
			!cells[fmt.Sprint(u.P999Us)] {
			t.Errorf("the latency %v is in no table", u.P999Us)
		}
	}
	for _, read := range r.Reads {
		if !cells[fmt.Sprint(read.FirstUs)] {
			t.Errorf("the read of %v is in no table", read.FirstUs)
		}
	}
	for _, advice := range r.Advice {
		if !strings.Contains(string(page), xmlEscaped(advice)) {
			t.Errorf("no advice %q", advice)
		}
	}
}

func xmlEscaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// TestPageOfNothing: the page can be drawn without figures, and with equal ones.
func TestPageOfNothing(t *testing.T) {
	same := made()
	for i := range same.Updates {
		u := &same.Updates[i]
		u.RatePerS, u.MedianUs, u.P999Us, u.Fairness = 5, 5, 5, 0
	}
	none := made()
	for i := range none.Updates {
		none.Updates[i].Updates = 0
	}
	for _, r := range []*Report{{}, same, none} {
		page := string(r.Page())
		for _, unwanted := range []string{"NaN", "Inf", "%!"} {
			if strings.Contains(page, unwanted) {
				t.Errorf("there is %q", unwanted)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		axis axis
		want string
	}{
		{axis{low: 0, high: 3200}, "[0 1000 2000 3000]"},
		{axis{low: 0, high: 1.08}, "[0 0.5 1]"},
		{axis{low: 90, high: 11000, log: true}, "[100 200 500 1000 2000 5000 10000]"},
		{axis{low: 1, high: 1e6, log: true}, "[1 10 100 1000 10000 100000 1e+06]"},
	} {
		if got := fmt.Sprint(test.axis.ticks()); got != test.want {
			t.Errorf("%+v: %s, want %s", test.axis, got, test.want)
		}
	}
}
