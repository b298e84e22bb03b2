package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// faces are the names under which the one control plane program is linked into BinDir.
var faces = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok", "kwokctl",
}

// progressPeriod is how often a build says that it is still alive.
const progressPeriod = 15 * time.Second

// ControlPlane returns the directory that holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl,
// kwok and kwokctl. It builds them from the Go module e2e/controlplane if the cache has no build of these sources by
// this version of Go yet, which takes minutes; progress gets a line for each step and every 15 seconds.
//
// The cache is $GROVE_CACHE, by default grove in the user's cache directory. Processes that ask at the same time build
// once: the others wait. The caller's working directory must be inside the repository.
func ControlPlane(ctx context.Context, progress io.Writer) (string, error) {
	source, err := findSource(ctx)
	if err != nil {
		return "", err
	}
	target, err := source.cachePath()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(target, "bin")
	if exists(target) {
		return bin, nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, target+".lock", progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(target) { // built by whoever held the lock
		return bin, nil
	}
	return bin, source.build(ctx, target, progress)
}

// controlPlaneSource is the module that the control plane is built from, and the toolchain that builds it.
type controlPlaneSource struct {
	dir       string
	goVersion string
	platform  string
}

func findSource(ctx context.Context) (*controlPlaneSource, error) {
	root, env, err := repository(ctx)
	if err != nil {
		return nil, err
	}
	return &controlPlaneSource{
		dir:       filepath.Join(root, "e2e", "controlplane"),
		goVersion: env["GOVERSION"],
		platform:  env["GOOS"] + "-" + env["GOARCH"],
	}, nil
}

// repository returns the root of the module around the working directory, and go's environment there.
func repository(ctx context.Context) (string, map[string]string, error) {
	out, err := Output(exec.CommandContext(ctx, "go", "env", "-json", "GOMOD", "GOVERSION", "GOOS", "GOARCH", "CGO_ENABLED"))
	if err != nil {
		return "", nil, err
	}
	env := map[string]string{}
	if err := json.Unmarshal(out, &env); err != nil {
		return "", nil, fmt.Errorf("go env: %w", err)
	}
	if env["GOMOD"] == "" || env["GOMOD"] == os.DevNull {
		return "", nil, errors.New("the working directory is not inside Grove's repository")
	}
	return filepath.Dir(env["GOMOD"]), env, nil
}

// cachePath is where the build of exactly these sources belongs.
func (s *controlPlaneSource) cachePath() (string, error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.go"))
	if err != nil {
		return "", err
	}
	files = append(files, filepath.Join(s.dir, "go.mod"), filepath.Join(s.dir, "go.sum"))
	slices.Sort(files)
	hash := sha256.New()
	fmt.Fprintln(hash, s.goVersion, s.platform)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(hash, filepath.Base(file), len(content))
		hash.Write(content)
	}
	cache, err := cacheDir()
	return filepath.Join(cache, "controlplane", hex.EncodeToString(hash.Sum(nil))[:16]), err
}

func cacheDir() (string, error) {
	if dir := os.Getenv("GROVE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory, set GROVE_CACHE: %w", err)
	}
	return filepath.Join(dir, "grove"), nil
}

// build makes target complete or not at all: whatever exists under its name is usable.
func (s *controlPlaneSource) build(ctx context.Context, target string, progress io.Writer) error {
	unfinished := target + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	bin := filepath.Join(unfinished, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(progress, "Building the local Kubernetes control plane into %s.\n", target)
	fmt.Fprintln(progress, "This happens once, and takes 3 to 15 minutes depending on the machine and on the network.")
	started := time.Now()
	if err := s.compile(ctx, filepath.Join(bin, "controlplane"), progress); err != nil {
		return err
	}
	for _, face := range faces {
		if err := os.Symlink("controlplane", filepath.Join(bin, face)); err != nil {
			return err
		}
	}
	fmt.Fprintf(progress, "Built the control plane in %s.\n", time.Since(started).Round(time.Second))
	return os.Rename(unfinished, target)
}

func (s *controlPlaneSource) compile(ctx context.Context, target string, progress io.Writer) error {
	list := s.goCommand(ctx, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	version, err := Output(list)
	if err != nil {
		return err
	}
	build := s.goCommand(ctx, "build", "-v", "-trimpath", "-ldflags", linkFlags(strings.TrimSpace(string(version))), "-o", target, ".")
	return runWithProgress(build, progress)
}

func (s *controlPlaneSource) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// linkFlags says which version of Kubernetes this is: kwokctl and clients decide by it what the server can do.
func linkFlags(version string) string {
	numbers := strings.Split(strings.TrimPrefix(version, "v"), ".")
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X", pkg+".gitVersion="+version,
			"-X", pkg+".gitMajor="+numbers[0],
			"-X", pkg+".gitMinor="+numbers[1])
	}
	return strings.Join(flags, " ")
}

// runWithProgress runs `go build -v` and tells every progressPeriod how far it is.
func runWithProgress(build *exec.Cmd, progress io.Writer) error {
	log := &buildLog{started: time.Now()}
	build.Stdout, build.Stderr = log, log
	done := make(chan error, 1)
	go func() { done <- build.Run() }()
	ticker := time.NewTicker(progressPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			fmt.Fprintln(progress, log.progress())
		case err := <-done:
			if err != nil {
				return fmt.Errorf("go build in %s: %w\n%s", build.Dir, err, log.tail())
			}
			return nil
		}
	}
}

// buildLog collects what `go build -v` prints: mostly one line per package.
type buildLog struct {
	started time.Time

	mu   sync.Mutex
	text bytes.Buffer
}

func (l *buildLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *buildLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(strings.Lines(l.text.String()))
}

func (l *buildLog) progress() string {
	downloads, packages, last := 0, 0, "starting"
	for _, line := range l.lines() {
		last = strings.TrimSpace(line)
		if strings.HasPrefix(line, "go: downloading") {
			downloads++
		} else {
			packages++
		}
	}
	return fmt.Sprintf("  %5s  %d modules downloaded, %d packages compiled, now after: %s",
		time.Since(l.started).Round(time.Second), downloads, packages, last)
}

func (l *buildLog) tail() string {
	lines := l.lines()
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

// lockFile waits until this process alone holds the lock on path, and returns what releases it. The kernel releases it
// if the process dies.
func lockFile(ctx context.Context, path string, progress io.Writer) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	waiting := false
	err = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(context.Context) (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			if !waiting {
				fmt.Fprintln(progress, "Another process builds the control plane: waiting for it.")
			}
			waiting = true
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { file.Close() }, nil
}

// Output runs cmd, and puts what it wrote to stderr into the error.
func Output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
