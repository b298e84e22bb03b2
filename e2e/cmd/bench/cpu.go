package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

// operator and client are the programs whose use of a processor is counted besides those of the control plane. The client is this program,
// which makes what a bare client makes, and watches all workloads alike.
const (
	operator = "grove-operator"
	client   = "client"
)

// programs are those whose use of a processor is counted, in the order in which they are told.
var programs = []string{"kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler", operator, client}

// consumption is how long each program has used a processor.
type consumption map[string]time.Duration

// consumed is what programs have used so far.
func (b *bench) consumed() (consumption, error) {
	used := consumption{}
	for _, program := range programs {
		pid := os.Getpid()
		var err error
		switch program {
		case client:
		case operator:
			pid = b.operator.PID()
		default:
			if pid, err = b.cluster.PID(program); err != nil {
				return nil, err
			}
		}
		if used[program], err = cpuTime(pid); err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
	}
	return used, nil
}

func (c consumption) since(before consumption) consumption {
	used := consumption{}
	for program, time := range c {
		used[program] = time - before[program]
	}
	return used
}

func (c consumption) total() time.Duration {
	var all time.Duration
	for _, time := range c {
		all += time
	}
	return all
}

// cpuTable has what making as many pods took, in seconds of a processor.
type cpuTable struct{ plain, bare, grove consumption }

func (t cpuTable) print(out io.Writer) {
	if t.grove == nil {
		return
	}
	fmt.Fprintf(out, "\nSeconds of a processor until %d pods were ready:\n", largePods)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(what string, of func(consumption) time.Duration) {
		fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t\n", what, of(t.plain).Seconds(), of(t.bare).Seconds(), of(t.grove).Seconds())
	}
	fmt.Fprintln(table, "\tDeployment\tbare client\tGrove\t")
	for _, program := range programs {
		line(program, func(c consumption) time.Duration { return c[program] })
	}
	line("all", consumption.total)
	table.Flush()
}
