package kubebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The modules whose versions are those of the programs.
const (
	kubernetes = "k8s.io/kubernetes"
	etcd       = "go.etcd.io/etcd/server/v3"
	kwok       = "sigs.k8s.io/kwok"
)

// program is one that the control plane consists of.
type program struct {
	name    string
	module  string   // whose version it has
	version []string // what makes it print its version
}

var programs = []program{
	{"etcd", etcd, []string{"--version"}},
	{"kube-apiserver", kubernetes, []string{"--version"}},
	{"kube-controller-manager", kubernetes, []string{"--version"}},
	{"kube-scheduler", kubernetes, []string{"--version"}},
	{"kubectl", kubernetes, []string{"version", "--client"}},
	{"kwok", kwok, []string{"--version"}},
	{"kwokctl", kwok, []string{"--version"}},
}

// versionTimeout bounds how long a program may take to print its version: it is of unknown origin, and may do something else.
const versionTimeout = 10 * time.Second

// find returns the path of the program in $KUBEBUILDER_ASSETS or $PATH if it has exactly this version, or nothing.
func (p program) find(ctx context.Context, version string) string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		dirs = slices.Insert(dirs, 0, assets)
	}
	for _, dir := range dirs {
		path, err := exec.LookPath(filepath.Join(dir, p.name))
		if err == nil && p.printed(ctx, path) == strings.TrimPrefix(version, "v") {
			return path
		}
	}
	return ""
}

// versionNumber is the first one that a program prints, with all that makes it another version, such as the name of a vendor.
var versionNumber = regexp.MustCompile(`\bv?([0-9]+\.[0-9]+\.[0-9]+[-+.\w]*)`)

// printed is the version that the program at path prints, without "v", or nothing.
func (p program) printed(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := Output(exec.CommandContext(ctx, path, p.version...))
	if err != nil {
		return ""
	}
	match := versionNumber.FindSubmatch(out)
	if match == nil {
		return ""
	}
	return string(match[1])
}

// versions are those that the module pins, by module.
func (m *module) versions(ctx context.Context) (map[string]string, error) {
	list := m.goCommand(ctx, "list", "-m", "-f", "{{.Path}} {{.Version}}", kubernetes, etcd, kwok)
	out, err := Output(list)
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for line := range strings.Lines(string(out)) {
		module, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		versions[module] = version
	}
	return versions, nil
}

// without are the build tags that leave out of the control plane's program whatever isn't missing.
func without(missing []program) []string {
	var tags []string
	for _, p := range programs {
		if !slices.ContainsFunc(missing, func(other program) bool { return other.name == p.name }) {
			tags = append(tags, "without_"+strings.ReplaceAll(p.name, "-", "_"))
		}
	}
	return tags
}

// copyProgram copies rather than links, since whoever installed the original may take it away.
func copyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := io.Copy(target, source); err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}
