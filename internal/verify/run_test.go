// Whole verifications with real processes: of the store, and of broken tools, which a verification
// must find.

package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jsonstore/jsonstore/internal/crew"
	"github.com/jsonstore/jsonstore/internal/fsys"
	"github.com/jsonstore/jsonstore/store"
)

// toolsVariable makes the test program a worker. It names the tools.
const toolsVariable = "JSONSTORE_TEST_VERIFY_TOOLS"

func TestMain(m *testing.M) {
	name, ok := os.LookupEnv(toolsVariable)
	if !ok {
		os.Exit(m.Run())
	}
	if err := Work(context.Background(), os.Stdin, os.Stdout, tools(name)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tools returns the tools of the store, with one of them broken.
func tools(broken string) Tools {
	tools := StoreTools
	switch broken {
	case "lock that excludes nobody":
		tools.Hold = func(_ context.Context, _ *store.Doc,
			inside func()) error {
			inside()
			return nil
		}
	case "update without a look":
		tools.Update = func(_ context.Context, doc *store.Doc,
			change func([]byte) ([]byte, error)) error {
			old, err := os.ReadFile(doc.Name())
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			changed, err := change(old)
			if err != nil {
				return err
			}
			staged := fmt.Sprintf("%s.%d", doc.Name(), os.Getpid())
			return errors.Join(os.WriteFile(staged, changed, 0o600), os.Rename(staged, doc.Name()))
		}
	case "update in place":
		tools.Update = func(ctx context.Context, doc *store.Doc,
			change func([]byte) ([]byte, error)) error {
			return StoreTools.Hold(ctx, doc, func() {
				old, _ := os.ReadFile(doc.Name())
				if changed, err := change(old); err == nil {
					_ = os.WriteFile(doc.Name(), changed, 0o600)
				}
			})
		}
	case "update that dies":
		tools.Update = func(context.Context, *store.Doc, func([]byte) ([]byte, error)) error {
			return errors.New("no space left on device")
		}
	case "transaction in parts":
		tools.Transfer = func(ctx context.Context, from, to *store.Doc) error {
			_, _, err := from.Add(ctx, "units", -1)
			if err == nil {
				_, _, err = to.Add(ctx, "units", 1)
			}
			return err
		}
	case "create that replaces":
		tools.Create = func(_ context.Context, doc *store.Doc, data []byte) error {
			return os.WriteFile(doc.Name(), data, 0o600)
		}
	}
	return tools
}

func program(t *testing.T, broken string) crew.Program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Without this the race detector delays the end of every process by a second.
	env := append(os.Environ(), toolsVariable+"="+broken, "GORACE=atexit_sleep_ms=0")
	return crew.Program{Path: self, Args: os.Args[:1], Env: env}
}

func runTest(t *testing.T, broken string) *Report {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), Config{
		Files: fsys.New(), Dir: dir, Time: 500 * time.Millisecond, Processes: 3, Program: program(t,
			broken),
	})
	if err != nil {
		t.Fatal(err)
	}
	onlyMine(t, dir)
	return report
}

// onlyMine expects a directory to have only the file that the test has made.
func onlyMine(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != "mine.json" {
		t.Errorf("the directory has %v, want mine.json", entries)
	}
}

func TestRunFit(t *testing.T) {
	report := runTest(t, "")
	for _, c := range report.Checks {
		if c.State != OK || c.Text == "" {
			t.Errorf("%s %s %s is %s: %s", c.Name, c.Mode, c.Sync, c.State, c.Text)
		}
		t.Logf("%s %s %s: %s", c.Name, c.Mode, c.Sync, c.Text)
	}
	if !report.Fit || len(report.Checks) < 12 {
		t.Errorf("fit is %v after %d checks; want so, after 12 at least", report.Fit,
			len(report.Checks))
	}
}

func TestRunUnfit(t *testing.T) {
	for broken, wants := range map[string][]string{
		"lock that excludes nobody": {"locks exclude: processes ", "a dead holder: the lock that another process held could be taken"},
		"update without a look":     {"no lost update: updates were lost or made twice", "killed writers: updates were lost"},
		"update in place":           {"no torn read: a program that reads the file saw what it should not"},
		"update that dies":          {"no lost update: a process stopped with an error: no space left on device"},
		"transaction in parts":      {"killed transactions: a view found "},
		"create that replaces":      {"one creator: race 1: the creation of the document was acknowledged to 3 processes"},
	} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			// Whether updates get lost in so short a time is up to the scheduler: on a busy
			// system it may take another run.
			const runs = 5
			for i := range runs {
				report := runTest(t, broken)
				if report.Fit {
					t.Error("is called fit")
				}
				missing := missingFrom(report, wants)
				if len(missing) == 0 {
					return
				}
				if i == runs-1 {
					t.Errorf("%q are not among what is bad: %+v", missing, report.Checks)
				}
			}
		})
	}
}

// missingFrom returns those of wants that no bad check of the report begins with.
func missingFrom(report *Report, wants []string) (missing []string) {
	for _, want := range wants {
		bad := func(c Check) bool {
			return c.State == Bad &&
				strings.HasPrefix(c.Name+": "+c.Text, want)
		}
		if !slices.ContainsFunc(report.Checks, bad) {
			missing = append(missing, want)
		}
	}
	return missing
}

// An interrupted verification leaves nothing, neither files nor processes that would keep it
// waiting.
func TestRunInterrupted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := 0
	_, err := Run(ctx, Config{
		Files: fsys.New(), Dir: dir, Time: time.Hour, Processes: 3, Program: program(t, ""),
		Progress: func(time.Duration, string) {
			if begun++; begun == 2 { // the first test
				time.AfterFunc(20*time.Millisecond, cancel)
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	onlyMine(t, dir)
}

func TestRunUnwritable(t *testing.T) {
	report, err := Run(t.Context(),
		Config{Files: readOnly{fsys.New()}, Dir: t.TempDir(), Time: time.Second, Processes: 2,
			Program: program(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	if report.Fit || len(report.Checks) > 0 || report.Facts.FileSystem == "" &&
		report.Facts.System == "linux" {
		t.Errorf("a directory that cannot be written to: %+v", report)
	}
}

// A worker that is given nonsense, as one that a user starts by hand, says so.
func TestWorkUsage(t *testing.T) {
	for input, want := range map[string]string{
		"":                      "run jsonstore verify DIR",
		"nonsense\n":            "the task of a worker",
		`{"role":"nap"}` + "\n": `no role "nap"`,
	} {
		err := Work(t.Context(), strings.NewReader(input), nil, StoreTools)
		wants(t, err, want)
	}
}
