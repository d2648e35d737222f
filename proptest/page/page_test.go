// Package page opens the report of "jsonstore bench" in a browser. The page loads nothing from
// elsewhere, causes no error, and is readable in light and dark and on a phone.
package page

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts headless Chromium.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
		}
	}
	if path == "" {
		t.Skip("there is no chromium on the PATH: apt-get install chromium")
	}
	profile, err := os.MkdirTemp("", "jsonstore-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The last processes of a browser may write to it for a moment after the end.
		for deadline := time.Now().Add(10 * time.Second); os.RemoveAll(profile) != nil &&
			time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
	})
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(profile),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	// t.Context ends before the cleanup
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
	})
	return ctx
}

// report makes a report by the command.
func report(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program, page := filepath.Join(dir, "jsonstore"), filepath.Join(dir, "page.html")
	build := exec.Command("go", "build", "-o", program, "./cmd/jsonstore")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(program, "bench", dir, "--time", "2s", "--processes", "4",
		"--report", page).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return page
}

// heard has the requests and the messages of the browser.
type heard struct {
	mu       sync.Mutex
	requests []string
	faults   []string
}

func (h *heard) listen(event any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		h.requests = append(h.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		h.faults = append(h.faults, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		h.faults = append(h.faults, "console: "+string(e.Type))
	case *log.EventEntryAdded:
		h.faults = append(h.faults, string(e.Entry.Level)+": "+e.Entry.Text)
	}
}

func TestPageInABrowser(t *testing.T) {
	ctx := browser(t)
	page := report(t)
	var said heard
	chromedp.ListenTarget(ctx, said.listen)
	url := "file://" + page
	if err := chromedp.Run(ctx, network.Enable(), log.Enable(), runtime.Enable(),
		chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	backgrounds := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1200, 800, 360} {
			var drawn, overflow, small int
			var background string
			err := chromedp.Run(ctx,
				emulation.SetEmulatedMedia().WithFeatures(
					[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				emulation.SetDeviceMetricsOverride(width, 800, 1, width < 500),
				chromedp.Evaluate(`document.querySelectorAll("details").forEach(d => d.open = `+
					`true); 0`, nil),
				chromedp.Evaluate(`[...document.querySelectorAll("svg.chart")].filter(c => { `+
					`const b = c.getBoundingClientRect(); return b.width > 100 && b.height > 60 && `+
					`c.querySelectorAll(".mark").length > 0 }).length`, &drawn),
				chromedp.Evaluate(`document.documentElement.scrollWidth - `+
					`document.documentElement.clientWidth`, &overflow),
				// Text in charts of less than 8 pixels is not readable.
				chromedp.Evaluate(`[...document.querySelectorAll("svg.chart text")].filter(t => `+
					`t.getBoundingClientRect().height < 8).length`, &small),
				chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &background),
			)
			if err != nil {
				t.Fatal(err)
			}
			if drawn != 10 || overflow > 0 || small > 0 {
				t.Errorf("%s, %d pixels wide: %d charts, %d pixels too wide, %d texts too small",
					scheme, width, drawn, overflow, small)
			}
			backgrounds[scheme] = background
			var picture []byte
			if dir := os.Getenv("JSONSTORE_PICTURES"); dir != "" {
				if err := chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, scheme+fmt.Sprintf("-%d.png", width)),
					picture, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if backgrounds["light"] == backgrounds["dark"] {
		t.Errorf("light and dark have the same background, %s", backgrounds["light"])
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	for _, request := range said.requests {
		if request != url && request != "data:," {
			t.Errorf("it asked for %s", request)
		}
	}
	if len(said.requests) == 0 {
		t.Error("no request was seen, not even that for the page")
	}
	for _, fault := range said.faults {
		t.Error(fault)
	}
}
