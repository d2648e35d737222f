// The proof of the proofs: the store is broken in one way after another, and each time the
// test that is there for it must fail.

package proptest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mutant is a defect: in a file of package store, from is to.
type mutant struct {
	name           string
	file, from, to string
	killer         string // the test, or tests, of package store
}

const (
	orders    = "TestInterleavings"
	powerCuts = "TestPowerCuts/(an_update|a_deletion)_"
)

var mutants = []mutant{
	{"no verify", "cas.go",
		"if err := a.verifyFor(ctx, s); err != nil {", "if err := error(nil); err != nil {",
		orders + "/two,"},
	{"verify before the lock", "cas.go",
		"	if a.unlock == nil {\n		if err := a.lock(ctx); err != nil {\n			return driver.Absent, err\n		}\n	}\n" +
			"	if err := a.verifyFor(ctx, s); err != nil {\n		return driver.Absent, err\n	}\n",
		"	if err := a.verifyFor(ctx, s); err != nil {\n		return driver.Absent, err\n	}\n" +
			"	if a.unlock == nil {\n		if err := a.lock(ctx); err != nil {\n			return driver.Absent, err\n		}\n	}\n",
		orders + "/two,"},
	{"unlock before the rename", "cas.go",
		"	if err := a.publish(ctx, s, data); err != nil {", "	a.release()\n	if err := a.publish(ctx, s, data); err != nil {",
		orders + "/two,"},
	{"verify of a deletion before the lock", "cas.go",
		"	if _, err := a.verify(ctx); err != nil {\n		return err\n	}\n	remove :=", "	remove :=",
		orders + "/two,_a_deleter"},
	{"create by plain rename", "cas.go",
		"		how = fsys.NoReplace\n", "		how = fsys.Replace\n",
		"TestForeignCreator|" + orders + "/guard:_two_that_create"},
	{"lock file removed without verifying again", "lock.go",
		"	return err == nil && named.SameFile(locked), err\n", "	return err == nil, err\n",
		orders + "/two_and_a_lock_remover"},
	{"the lock of a file that is gone", "lock.go",
		"	if errors.Is(err, fs.ErrNotExist) {\n		return false, nil\n	}\n	return err == nil && named", "	if errors.Is(err, fs.ErrNotExist) {\n		return true, nil\n	}\n	return err == nil && named",
		orders + "/two_and_a_lock_remover"},
	{"the version that was read closed early", "cas.go",
		"	a.current, err = a.d.load(ctx, a.path, a.mode)\n", "	a.current, err = a.d.load(ctx, a.path, a.mode)\n	if err == nil && a.current.file != nil {\n		a.current.file.Close()\n	}\n",
		orders + "/three,_a_deleter_and_a_death,_mtime_1ns"},
	{"no stamp", "mtime.go",
		"	now := files.Now()\n	for _", "	if info, err = file.Stat(); true {\n		return info, true, err\n	}\n	now := files.Now()\n	for _",
		"TestStampsGrow"},
	{"a stamp that does not grow", "mtime.go",
		"[]int64{max(now, after+1), max(now, after+coarse)}", "[]int64{now, now}",
		"TestStampsGrow"},
	{"coarse times accepted", "mtime.go",
		"	case known && !fine:", "	case false:",
		"TestCoarseTimes"},
	{"versions by length only", "hash.go",
		"	return driver.HashVersion(sum.Hi, sum.Lo, int64(len(data)))", "	sum.Hi, sum.Lo = 0, 0\n	return driver.HashVersion(sum.Hi, sum.Lo, int64(len(data)))",
		"TestConformance|TestInspect|TestCompareAndSwap|" + orders + "/two,_a_deleter"},
	{"staged file not flushed", "cas.go",
		"		if err := s.file.Sync(); err != nil {", "		if err := error(nil); err != nil {",
		powerCuts},
	{"staged file flushed after the rename", "cas.go",
		"	a.published, a.created = true, a.current.version.IsAbsent()\n	return version, nil", "	a.published, a.created = true, a.current.version.IsAbsent()\n	return version, s.file.Sync()",
		powerCuts},
	{"directory not flushed", "cas.go",
		"		if err := a.d.files.SyncDir(dir); err != nil {", "		if err := error(nil); err != nil {",
		powerCuts},
	{"directory flushed before the rename", "cas.go",
		"	if err := a.publish(ctx, s, data); err != nil {", "	_ = a.d.files.SyncDir(filepath.Dir(a.path))\n	if err := a.publish(ctx, s, data); err != nil {",
		powerCuts},
	{"a failed flush tried again", "cas.go",
		"		if err := a.d.files.SyncDir(dir); err != nil {", "		if err := a.d.files.SyncDir(dir); err != nil && a.d.files.SyncDir(dir) != nil {",
		"TestFaults"},
	{"a failed flush of the staged file tried again", "cas.go",
		"		if err := s.file.Sync(); err != nil {", "		if err := s.file.Sync(); err != nil && s.file.Sync() != nil {",
		"TestFaults"},
	{"a failed rename not looked after", "cas.go",
		"	if err == nil || a.isPublished(s) {", "	if err == nil {",
		"TestFaults"},
	{"litter after an error", "cas.go",
		"			s.discard()\n", "			s.file.Close()\n",
		"TestFaults"},
	{"the lock kept after an error", "cas.go",
		"func (a *attempt) Close() {\n	a.release()\n", "func (a *attempt) Close() {\n",
		"TestFaults|TestPanic|TestUpdate"},
	{"a staged file that is not locked", "stage.go",
		"		locked, err := file.TryLock()\n		if err == nil && locked {", "		locked, err := true, error(nil)\n		if err == nil && locked {",
		orders + "/two,_a_sweep"},
	{"a sweep that does not ask for the lock", "stage.go",
		"	locked, err := file.TryLock()\n	if err != nil || !locked {\n		return false, err\n	}\n	if len(digits)", "	if len(digits)",
		orders + "/two,_a_sweep"},
	{"guard: what was displaced is not looked at", "guard.go",
		"	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), s.path)\n", "	verifyErr := error(nil)\n",
		orders + "/guard:_two_and_a_foreign"},
	{"guard: put back without looking again", "guard.go",
		"		if found.SameFile(expected) {", "		if true {",
		orders + "/guard:_one_and_two"},
	{"guard: what was deleted is not looked at", "guard.go",
		"	_, verifyErr := a.verifyAt(context.WithoutCancel(ctx), guarded)\n", "	verifyErr := error(nil)\n",
		orders + "/guard:_one,_a_deleter"},
	{"guard: what a dead one had displaced is removed", "guard.go",
		"	// Somebody else's version.\n", "	return true, d.files.Remove(orphan)\n",
		orders + "/guard:_a_sweep"},
	{"guard: swept while its owner looks at it", "stage.go",
		"	if len(digits) == guardedDigits && document != o.locked {", "	if false {",
		orders + "/guard:_two_sweeps|TestSampledOrders/guard"},
}

// TestMutants takes minutes, most of it for compiling: it is for JSONSTORE_MUTANTS=1.
func TestMutants(t *testing.T) {
	if _, ok := os.LookupEnv("JSONSTORE_MUTANTS"); !ok {
		t.Skip("takes minutes: set JSONSTORE_MUTANTS=1")
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { m.mustBeKilled(t) })
	}
}

func (m mutant) mustBeKilled(t *testing.T) {
	path, err := filepath.Abs(filepath.Join("../store", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte(m.from)); n != 1 {
		t.Fatalf("%s has %d places like %q, want 1", m.file, n, m.from)
	}
	dir := t.TempDir()
	mutated, overlay := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutated}})
	if err == nil {
		err = os.WriteFile(overlay, replace, 0o600)
	}
	if err == nil {
		err = os.WriteFile(mutated, bytes.Replace(source, []byte(m.from), []byte(m.to), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "store.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, "../store").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start := time.Now()
	cmd := exec.Command(binary, "-test.run", m.killer, "-test.failfast", "-test.timeout", "2m")
	cmd.Dir = filepath.Dir(path)
	out, err := cmd.CombinedOutput()
	seconds := time.Since(start).Seconds()
	_, failed, _ := strings.Cut(string(out), "--- FAIL: ")
	if err == nil || failed == "" {
		t.Fatalf("%s does not notice (%v, %.1f s)\n%s", m.killer, err, seconds, out)
	}
	by, _, _ := strings.Cut(failed, "\n")
	if _, sub, ok := strings.Cut(failed, "    --- FAIL: "); ok {
		by, _, _ = strings.Cut(sub, "\n")
	}
	t.Logf("killed in %.2f s by %s", seconds, by)
}
