package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// operatorTimeout bounds the operator's start and its graceful end.
const operatorTimeout = time.Minute

// ErrRace is the error of an operator whose log tells of a data race.
var ErrRace = errors.New("the operator has a data race")

// InitImage is the image of the init container of pods that start after others. Fake nodes run no containers.
const InitImage = "grove.io/grove:local"

// Operator is a grove-operator that runs beside the cluster, as a process of this machine.
type Operator struct {
	// Log is the path of what it writes to stdout and stderr.
	Log string
	// MetricsAddress is the host and port where it serves its Prometheus metrics.
	MetricsAddress string

	healthURL string
	cmd       *exec.Cmd
	exited    chan struct{}
	exitErr   error // to be read once exited is closed
	killed    bool
}

// Programs that Build knows.
const (
	OperatorProgram = "grove-operator"
	InitProgram     = "grove-initc"
	PluginProgram   = "kubectl-grove"
)

// Build builds one of the programs of cmd into the cluster's directory and returns its path. With race, it has the race
// detector, unless there is no C compiler, which the race detector needs.
func (c *Cluster) Build(ctx context.Context, program string, race bool) (string, error) {
	return c.build(ctx, program, program, race)
}

// build builds a program under another name, with flags of go build.
func (c *Cluster) build(ctx context.Context, program, name string, race bool, flags ...string) (string, error) {
	root, env, err := repository(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.dir, name)
	args := append([]string{"build", "-o", path}, flags...)
	if race && env["CGO_ENABLED"] == "1" {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/"+program)...)
	cmd.Dir = root
	if _, err := Output(cmd); err != nil {
		return "", err
	}
	return path, nil
}

// StartOperator runs the operator at path (see Build) against the cluster and waits until it is ready. It is
// given the kubeconfig, addresses, no leader election and JSON logs; flags come after these.
func (c *Cluster) StartOperator(ctx context.Context, path string, flags ...string) (*Operator, error) {
	return c.startOperator(ctx, path, nil, flags)
}

// startOperator is StartOperator with more environment variables.
func (c *Cluster) startOperator(ctx context.Context, path string, environ, flags []string) (*Operator, error) {
	log, err := os.CreateTemp(c.dir, "grove-operator-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	health, err := freePort()
	if err != nil {
		return nil, err
	}
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, append([]string{
		"--kubeconfig=" + c.Kubeconfig,
		"--initc-image=" + InitImage,
		"--leader-elect=false",
		"--log-format=json",
		fmt.Sprintf("--health-address=127.0.0.1:%d", health),
		fmt.Sprintf("--metrics-address=127.0.0.1:%d", metrics),
	}, flags...)...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = log, log
	operator := &Operator{
		Log:            log.Name(),
		MetricsAddress: fmt.Sprintf("127.0.0.1:%d", metrics),
		healthURL:      fmt.Sprintf("http://127.0.0.1:%d/readyz", health),
		cmd:            cmd,
		exited:         make(chan struct{}),
	}
	finished, err := startKept(cmd, c.dir, filepath.Base(log.Name()))
	if err != nil {
		return nil, err
	}
	go func() {
		operator.exitErr = finished()
		close(operator.exited)
	}()
	if err := operator.waitUntilReady(ctx); err != nil {
		stopErr := operator.Stop(context.WithoutCancel(ctx))
		if stopErr == nil {
			stopErr = fmt.Errorf("its log ends:\n%s", lastLines(operator.Log, 20))
		}
		return nil, fmt.Errorf("the operator has not become ready: %w; %w", err, stopErr)
	}
	return operator, nil
}

func (o *Operator) waitUntilReady(ctx context.Context) error {
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, operatorTimeout, true, func(ctx context.Context) (bool, error) {
		if o.hasExited() {
			return false, errors.New("it has exited")
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.healthURL, nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil // not listening yet
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
}

func (o *Operator) hasExited() bool {
	select {
	case <-o.exited:
		return true
	default:
		return false
	}
}

// Exited is closed when the process has ended, by Stop or by itself.
func (o *Operator) Exited() <-chan struct{} { return o.exited }

// PID is the operator's process id, for /proc.
func (o *Operator) PID() int { return o.cmd.Process.Pid }

// Kill ends the operator as a crash would, and waits for it. Stop has nothing left to do, and to complain of, after that.
func (o *Operator) Kill() error {
	o.killed = true
	if err := o.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-o.exited
	return o.checkRaces()
}

// Stop asks the operator to end, waits for it, and returns an error if it ended otherwise than with exit code 0, or if
// its log tells of a data race. It may be called again, and returns the same.
func (o *Operator) Stop(ctx context.Context) error {
	if !o.hasExited() {
		if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	select {
	case <-o.exited:
	case <-time.After(operatorTimeout):
		return fmt.Errorf("the operator has not ended %s after SIGTERM; its log ends:\n%s", operatorTimeout, lastLines(o.Log, 20))
	case <-ctx.Done():
		return ctx.Err()
	}
	if o.exitErr != nil && !o.killed {
		return fmt.Errorf("operator: %w; its log ends:\n%s", o.exitErr, lastLines(o.Log, 20))
	}
	return o.checkRaces()
}

func (o *Operator) checkRaces() error {
	log, err := os.ReadFile(o.Log)
	if err != nil {
		return err
	}
	if race := bytes.Index(log, []byte("WARNING: DATA RACE")); race >= 0 {
		return fmt.Errorf("%w:\n%s", ErrRace, log[race:min(len(log), race+4000)])
	}
	return nil
}
