package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNoCommit says that the repository doesn't have a commit: a shallow clone, or what was unpacked from an archive, has no past.
var ErrNoCommit = errors.New("the repository doesn't have the commit")

// BuildAt builds one of the programs of cmd as it was at a commit into the cluster's directory and returns its path. The error is
// ErrNoCommit where there is no such commit, or no git.
func (c *Cluster) BuildAt(ctx context.Context, program, commit string) (string, error) {
	root, _, err := repository(ctx)
	if err != nil {
		return "", err
	}
	if _, err := Output(exec.CommandContext(ctx, "git", "-C", root, "cat-file", "-e", commit+"^{commit}")); err != nil {
		return "", fmt.Errorf("%w %s: %w", ErrNoCommit, commit, err)
	}
	sources := filepath.Join(c.dir, "sources-"+commit)
	if err := os.MkdirAll(sources, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(c.dir, program+"-"+commit)
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/"+program)
	build.Dir = sources
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(ctx, "git", "-C", root, "archive", "--output="+sources+".tar", commit),
		exec.CommandContext(ctx, "tar", "-x", "-f", sources+".tar", "-C", sources),
		build,
	} {
		if _, err := Output(cmd); err != nil {
			return "", err
		}
	}
	return path, nil
}
