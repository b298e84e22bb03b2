package kubebuild

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// linePeriod is how often a build says how far it is, where each time is a line.
	linePeriod = 15 * time.Second
	// terminalPeriod is how often it does on a terminal, where one line changes.
	terminalPeriod = time.Second
	// processorTime is what a package takes on the average, on a processor of a server of the early 2020s: 2813 of them took 17 minutes there. It
	// is for a first guess only.
	processorTime = 360 * time.Millisecond
)

// build is a go build of a module's root that tells how far it is.
type build struct {
	module   *module
	args     []string // for go list as for go build: both have to mean the same packages
	progress io.Writer
}

// run builds. Flags are for go build alone.
func (b *build) run(ctx context.Context, flags []string) error {
	log := &buildLog{started: time.Now()}
	missing, err := b.missing(ctx, log)
	if err != nil {
		return err
	}
	log.compiling(missing)
	fmt.Fprintf(b.progress, "  %d packages are to be compiled: about %s if %d processors have nothing else to do.\n",
		missing, roughly(guess(missing, runtime.GOMAXPROCS(0))), runtime.GOMAXPROCS(0))
	args := slices.Concat([]string{"build", "-v"}, b.args, flags, []string{"."})
	cmd := b.module.goCommand(ctx, args...)
	cmd.Stdout = log
	return b.watch(cmd, log)
}

// missing downloads all modules and counts the packages that Go's build cache lacks.
func (b *build) missing(ctx context.Context, log *buildLog) (int, error) {
	args := slices.Concat([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, b.args, []string{"."})
	cmd := b.module.goCommand(ctx, args...)
	var stale bytes.Buffer
	cmd.Stdout = &stale
	err := b.watch(cmd, log)
	return len(strings.Fields(stale.String())), err
}

// watch runs cmd and tells now and then how far it is, by what it writes to stderr.
func (b *build) watch(cmd *exec.Cmd, log *buildLog) error {
	cmd.Stderr = log
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	terminal := isTerminal(b.progress)
	period := linePeriod
	if terminal {
		period = terminalPeriod
	}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if terminal {
				fmt.Fprintf(b.progress, "\r\033[K  %s", log.state(time.Now()))
			} else {
				fmt.Fprintf(b.progress, "  %s\n", log.state(time.Now()))
			}
		case err := <-done:
			if terminal {
				fmt.Fprint(b.progress, "\r\033[K")
			}
			if err != nil {
				return fmt.Errorf("go %s in %s: %w\n%s", cmd.Args[1], cmd.Dir, err, log.tail())
			}
			return nil
		}
	}
}

// isTerminal reports whether w is a character device: a terminal, or what looks like one to whoever doesn't read it anyway.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// guess is how long compiling may take, before anything is known of the machine but its processors.
func guess(packages, processors int) time.Duration {
	return time.Duration(packages) * processorTime / time.Duration(processors)
}

// roughly says a duration as people do.
func roughly(d time.Duration) string {
	switch {
	case d < 45*time.Second:
		return "half a minute"
	case d < 90*time.Second:
		return "a minute"
	default:
		return fmt.Sprintf("%d minutes", int(d.Round(time.Minute)/time.Minute))
	}
}

// buildLog collects what go list and `go build -v` print: a line for each module that is downloaded, and one for each package when its turn
// comes.
type buildLog struct {
	started time.Time

	mu        sync.Mutex
	text      bytes.Buffer
	all       int       // packages to compile, once compileAt is set
	compileAt time.Time // zero while modules are downloaded
}

func (l *buildLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// compiling says that so many packages are to be compiled from now on.
func (l *buildLog) compiling(packages int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.compileAt = max(packages, 1), time.Now()
}

func (l *buildLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(strings.Lines(l.text.String()))
}

// state says how far the build is at a time.
func (l *buildLog) state(now time.Time) string {
	downloaded, compiled := 0, 0
	for _, line := range l.lines() {
		if strings.HasPrefix(line, "go: ") {
			downloaded++
		} else {
			compiled++
		}
	}
	took := now.Sub(l.started).Round(time.Second)
	if l.compileAt.IsZero() {
		return fmt.Sprintf("%5s  %d modules downloaded", took, downloaded)
	}
	compiled = min(compiled, l.all)
	if compiled == l.all {
		return fmt.Sprintf("%5s  all %d packages compiled, and being linked", took, l.all)
	}
	state := fmt.Sprintf("%5s  %d of %d packages compiled (%d %%)", took, compiled, l.all, 100*compiled/l.all)
	// The packages of the standard library come first, and are small: their rate says nothing yet.
	if compiled > l.all/10 {
		left := now.Sub(l.compileAt) * time.Duration(l.all-compiled) / time.Duration(compiled)
		state += fmt.Sprintf(", about %s left", roughly(left))
	}
	return state
}

func (l *buildLog) tail() string {
	lines := l.lines()
	return strings.Join(lines[max(0, len(lines)-20):], "")
}
