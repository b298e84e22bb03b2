package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

//go:embed keeper.sh
var keeperScript string

// keeper is a process that outlives this one for as long as it takes to end the cluster's processes and to remove its
// directory. kwokctl detaches what it starts, so nothing else would end it when this process is killed. A regular stop
// goes the same way.
type keeper struct {
	stdin io.Closer
	done  chan error
}

func startKeeper(dir string) (*keeper, error) {
	cmd := exec.Command("sh", "-c", keeperScript, "keeper", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // ctrl-C must not reach it
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the cluster's keeper: %w", err)
	}
	k := &keeper{stdin: stdin, done: make(chan error, 1)}
	go func() { k.done <- cmd.Wait() }()
	return k, nil
}

// release lets the keeper do its work, and waits for it.
func (k *keeper) release(ctx context.Context) error {
	if err := k.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	select {
	case err := <-k.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the cluster's keeper has not finished: %w", ctx.Err())
	}
}

// startKept starts cmd such that the keeper of dir ends it too. The returned function waits for its end.
func startKept(cmd *exec.Cmd, dir, name string) (func() error, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pidFile := filepath.Join(dir, "pids", name+".pid")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return func() error { return errors.Join(cmd.Wait(), os.RemoveAll(pidFile)) }, nil
}
