//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jsonstore": main})
}

// TestScripts runs testdata/*.txtar, a script for each verb and some for what they have in common.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			// The race detector would wait for a second at the end of each process.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "mount":
			default:
				return false, fmt.Errorf("unknown condition %q", name)
			}
			dir := t.TempDir()
			if err := mountSmall(dir); err != nil {
				return false, nil
			}
			return true, unmount(dir)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":  exits,
			"files":  files,
			"make":   makeFile,
			"fifo":   fifo,
			"nobody": nobody,
			"small":  small,
			"own":    own,
			"owned":  owned,
			"peak":   peak,
			"bind":   bind,
			"died":   died,
		},
	})
}

// exits runs a command and wants an exit code: exits 4 jsonstore get nothing.json.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// peak is exits for a command that holds so many MiB at the most, on Linux: peak 1500 5 jsonstore …
func peak(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	cmd := exec.Command(os.Args[0], args[3:]...)
	cmd.Args[0] = args[2]
	cmd.Dir = ts.MkAbs(".")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		ts.Fatalf("%v", err)
	}
	ts.Logf("%s", out)
	if code := fmt.Sprint(cmd.ProcessState.ExitCode()); code != args[1] {
		ts.Fatalf("exit code %s, want %s", code, args[1])
	}
	// Of the processes that it waited for, the largest counts.
	held := int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) >> 10
	if held > most {
		ts.Fatalf("it held %d MiB, more than %d", held, most)
	}
}

// files wants exactly these files in a directory: files DIR NAME…
func files(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var names []string
	for _, entry := range entries {
		if entry.Name() != ".tmp" { // the script runner's own
			names = append(names, entry.Name())
		}
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(names, want) {
		ts.Fatalf("%s has %q, want %q", args[0], names, want)
	}
}

// makeFile makes a file that a script cannot hold: make FILE TEXT [TIMES], with Go's escapes
// in TEXT.
func makeFile(ts *testscript.TestScript, _ bool, args []string) {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	ts.Check(err)
	if len(args) > 2 {
		times, err := strconv.Atoi(args[2])
		ts.Check(err)
		text = strings.Repeat(text, times)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func fifo(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(exec.Command("mkfifo", ts.MkAbs(args[0])).Run())
}

// small mounts a small file system on a directory until the script ends.
func small(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(mountSmall(dir))
	ts.Defer(func() { ts.Check(unmount(dir)) })
}

// bind mounts a file on another one until the script ends, as containers do.
func bind(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[1])
	ts.Check(mountFile(ts.MkAbs(args[0]), file))
	ts.Defer(func() { ts.Check(unmount(file)) })
}

// own gives a file to a user and a group, with a mode: own FILE 4001 4001 0640.
func own(ts *testscript.TestScript, _ bool, args []string) {
	uid, gid, mode := access(ts, args)
	path := ts.MkAbs(args[0])
	ts.Check(os.Chown(path, int(uid), int(gid)))
	ts.Check(syscall.Chmod(path, mode))
}

// owned wants a file to be a user's and a group's, with a mode.
func owned(ts *testscript.TestScript, _ bool, args []string) {
	uid, gid, mode := access(ts, args)
	var st syscall.Stat_t
	ts.Check(syscall.Stat(ts.MkAbs(args[0]), &st))
	if st.Uid != uid || st.Gid != gid || uint32(st.Mode)&0o7777 != mode {
		ts.Fatalf("%s is %d:%d %04o", args[0], st.Uid, st.Gid, uint32(st.Mode)&0o7777)
	}
}

func access(ts *testscript.TestScript, args []string) (uid, gid, mode uint32) {
	var numbers [3]uint32
	for i, base := range []int{10, 10, 8} {
		n, err := strconv.ParseUint(args[1+i], base, 32)
		ts.Check(err)
		numbers[i] = uint32(n)
	}
	return numbers[0], numbers[1], numbers[2]
}

// nobody is exits for a user who is not root: nobody 8 jsonstore get secret.json.
func nobody(ts *testscript.TestScript, _ bool, args []string) {
	if os.Geteuid() != 0 {
		exits(ts, false, args)
		return
	}
	// The test's own program is where nobody else may look: a copy is run.
	const id = 65534
	dir, err := os.MkdirTemp("/tmp", "nobody")
	ts.Check(err)
	defer os.RemoveAll(dir)
	ts.Check(os.Chmod(dir, 0o755))
	self, err := os.ReadFile(os.Args[0])
	ts.Check(err)
	program := filepath.Join(dir, args[1])
	ts.Check(os.WriteFile(program, self, 0o755))
	for at := ts.MkAbs("."); len(at) > len("/tmp"); at = filepath.Dir(at) {
		_ = os.Chmod(at, 0o755)
	}
	var cmd *exec.Cmd
	var out []byte
	for deadline := time.Now().Add(10 * time.Second); ; {
		cmd = exec.Command(program, args[2:]...)
		cmd.Dir = ts.MkAbs(".")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
		out, err = cmd.CombinedOutput()
		// What another test starts at this moment inherits the copy, still open for writing,
		// until it is started.
		if !errors.Is(err, syscall.ETXTBSY) || time.Now().After(deadline) {
			break
		}
	}
	if cmd.ProcessState == nil {
		ts.Fatalf("%v", err)
	}
	if code := fmt.Sprint(cmd.ProcessState.ExitCode()); code != args[0] {
		ts.Fatalf("exit code %s, want %s\n%s", code, args[0], out)
	}
	ts.Logf("%s", out)
}
