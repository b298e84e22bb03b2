// Package kubebuild builds the programs of a local control plane from Go modules, once, into a cache. It imports nothing but the standard
// library, so that the first command on a bare machine says at once what it is going to do and how long that takes.
package kubebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ControlPlane returns the directory that holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl,
// kwok and kwokctl. Unless the cache has them for these sources and this version of Go, it takes those of the right versions from
// $KUBEBUILDER_ASSETS and $PATH, and builds the others from the Go module e2e/controlplane, which takes minutes. Progress gets a line
// every 15 seconds or, if it is a terminal, one that changes.
//
// The cache is $GROVE_CACHE, by default grove in the user's cache directory. Processes that ask at the same time build
// once: the others wait. The caller's working directory must be inside the repository.
func ControlPlane(ctx context.Context, progress io.Writer) (string, error) {
	module, err := findModule(ctx)
	if err != nil {
		return "", err
	}
	target, err := module.cachePath()
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
	return bin, module.build(ctx, target, progress)
}

// module is the one that the control plane is built from, and the toolchain that builds it.
type module struct {
	dir       string
	goVersion string
	platform  string
}

func findModule(ctx context.Context) (*module, error) {
	root, env, err := Repository(ctx)
	if err != nil {
		return nil, err
	}
	return &module{
		dir:       filepath.Join(root, "e2e", "controlplane"),
		goVersion: env["GOVERSION"],
		platform:  env["GOOS"] + "-" + env["GOARCH"],
	}, nil
}

// cachePath is where the build of exactly these sources belongs.
func (m *module) cachePath() (string, error) {
	files, err := filepath.Glob(filepath.Join(m.dir, "*.go"))
	if err != nil {
		return "", err
	}
	files = append(files, filepath.Join(m.dir, "go.mod"), filepath.Join(m.dir, "go.sum"))
	slices.Sort(files)
	hash := sha256.New()
	fmt.Fprintln(hash, m.goVersion, m.platform)
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
func (m *module) build(ctx context.Context, target string, progress io.Writer) error {
	unfinished := target + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	bin := filepath.Join(unfinished, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	versions, err := m.versions(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	fmt.Fprintf(progress, "There is no local Kubernetes control plane of these versions yet. It is made once, in %s.\n", target)
	var missing []program
	for _, p := range programs {
		found := p.find(ctx, versions[p.module])
		if found == "" {
			missing = append(missing, p)
			continue
		}
		fmt.Fprintf(progress, "  %s %s is taken from %s.\n", p.name, versions[p.module], found)
		if err := copyProgram(found, filepath.Join(bin, p.name)); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		if err := m.compile(ctx, bin, missing, versions, progress); err != nil {
			return err
		}
	}
	fmt.Fprintf(progress, "The control plane is there, after %s.\n", time.Since(started).Round(time.Second))
	return os.Rename(unfinished, target)
}

// compile builds one program that is all of the missing ones, by the name that it is called by.
func (m *module) compile(ctx context.Context, bin string, missing []program, versions map[string]string, progress io.Writer) error {
	args := append(slices.Clone(Flags), "-tags="+strings.Join(without(missing), ","))
	b := &build{module: m, args: args, progress: progress}
	flags := []string{"-ldflags=" + linkFlags(versions[kubernetes]), "-o", filepath.Join(bin, "controlplane")}
	if err := b.run(ctx, flags); err != nil {
		return err
	}
	for _, p := range missing {
		if err := os.Symlink("controlplane", filepath.Join(bin, p.name)); err != nil {
			return err
		}
	}
	return nil
}

// Flags of go build are the same for the control plane and for `make demo`'s other programs, which thereby share most of their packages in
// Go's build cache. Debug information, which nobody reads of these, is a sixth of the compiler's time.
var Flags = []string{"-trimpath", "-gcflags=all=-dwarf=false"}

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

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
