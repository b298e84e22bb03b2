package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

const (
	// mostGrowth is of requests per pod, from the smallest size to the largest.
	mostGrowth         = 1.1
	mostOperatorMemory = 300 << 20
	// mostCPUPerReady and mostRequestsPerReady are for a pod that becomes ready beside many.
	mostCPUPerReady      = time.Millisecond
	mostRequestsPerReady = 3.0
	mostRestart          = 10 * time.Second
	// mostNeighbour is for the pods of a small set that is created while others create something large.
	mostNeighbour = 2 * time.Second
)

// perPod is how many requests a workload took for each of its pods.
func (s scaled) perPod(r requests) float64 { return float64(r.total()) / float64(s.pods) }

func (r *report) scale(curve []scaled) {
	r.curve = curve
	for _, shape := range shapes {
		of := slices.DeleteFunc(slices.Clone(curve), func(s scaled) bool { return s.shape != shape })
		if len(of) == 0 {
			continue
		}
		bySize := func(a, b scaled) int { return a.pods - b.pods }
		least, most := slices.MinFunc(of, bySize), slices.MaxFunc(of, bySize)
		if least.pods < most.pods {
			before, after := least.perPod(least.creating), most.perPod(most.creating)
			r.add(fmt.Sprintf("%s: requests per pod, %d pods to %d", shape, least.pods, most.pods), "", fmt.Sprintf("%.2f to %.2f", before, after),
				fmt.Sprintf("%.2f", after/before), fmt.Sprintf("≤ %.1f", mostGrowth), after <= mostGrowth*before)
		}
		r.add(fmt.Sprintf("%s: operator's peak RSS, %d pods", shape, most.pods), "", mebibytes(most.memory), "", "≤ "+mebibytes(mostOperatorMemory),
			most.memory <= mostOperatorMemory)
		for _, s := range of {
			if shape == shapeGroups && s.pods == deletedPods {
				r.tell(fmt.Sprintf("%d pods in scaling groups of one set, gone", s.pods), "", seconds(s.podsGone), "", "(there minutes)")
			}
			r.distributions = append(r.distributions,
				distribution{what: fmt.Sprintf("creating %d pods as %s", s.pods, shape), requests: s.creating, pods: s.pods},
				distribution{what: "deleting them", requests: s.deleting, pods: s.pods})
		}
	}
}

func (r *report) neighbour(shape string, pods int, exist, ready []time.Duration) {
	what := fmt.Sprintf("%d-pod set beside a %s of %d pods (%d times): ", smallPods, shape, pods, len(ready))
	r.tell(what+"pods exist, median and worst", "", seconds(median(exist))+", "+seconds(slices.Max(exist)), "", "")
	what, worst := "… ready, median and worst", slices.Max(ready)
	figure := seconds(median(ready)) + ", " + seconds(worst)
	if shape == shapeDeployment {
		r.tell(what, "", figure, "", "")
		return
	}
	r.add(what, "", figure, "", "≤ "+seconds(mostNeighbour), worst <= mostNeighbour)
}

func (r *report) rest(of repose) {
	each := func(s spent) (time.Duration, float64) {
		n := of.changes
		return max(0, s.cpu-of.idle.cpu) / time.Duration(n), float64(s.requests.total()-of.idle.requests.total()) / float64(n)
	}
	milliseconds := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	r.tell(fmt.Sprintf("operator beside the set, CPU and requests in %.0f s", (time.Duration(of.changes)*changeEvery+settling).Seconds()), "",
		fmt.Sprintf("%s, %d", milliseconds(of.idle.cpu), of.idle.requests.total()), "", "")
	cpu, asked := each(of.unready)
	r.tell("… more for each pod that becomes unready", "", fmt.Sprintf("%s, %.1f", milliseconds(cpu), asked), "", "")
	cpu, asked = each(of.ready)
	r.add("… more for each pod that becomes ready", "", fmt.Sprintf("%s, %.1f", milliseconds(cpu), asked), "",
		fmt.Sprintf("≤ %s, ≤ %.0f", milliseconds(mostCPUPerReady), mostRequestsPerReady), cpu <= mostCPUPerReady && asked <= mostRequestsPerReady)
	r.add("operator started anew, quiet after", "", seconds(of.restarted), "", "≤ "+seconds(mostRestart), of.restarted <= mostRestart)
	r.add("… writes", "", fmt.Sprint(of.asked.writes()), "", "none", of.asked.writes() == 0)
	r.distributions = append(r.distributions,
		distribution{what: "pods becoming unready", requests: of.unready.requests, pods: of.changes},
		distribution{what: "pods becoming ready", requests: of.ready.requests, pods: of.changes},
		distribution{what: "a start of the operator", requests: of.asked, pods: of.changes})
}

func mebibytes(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

// printCurve has a line for each workload of the part scale.
func printCurve(out io.Writer, curve []scaled) {
	if len(curve) == 0 {
		return
	}
	fmt.Fprintf(out, `
By size and shape. A set is one of n/%[1]d replicas of %[1]d pods, sets are n/%[1]d of one such replica, groups is one set whose pods are all in a scaling group, with %[2]d pods
in a replica at most. Requests are the operator's, seconds those of a processor until all pods are ready and %.0[3]f s after, objects as long as their JSON:

`, smallPods, mostPodsOfReplica, settling.Seconds())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "pods\tshape\texist\tready\tgone\trequests/pod\tdeleted\t")
	for _, program := range programs {
		fmt.Fprintf(table, "%s\t", program)
	}
	fmt.Fprintln(table, "all\tpeak RSS\tlargest object\t")
	for _, s := range curve {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t", s.pods, s.shape, seconds(s.exist), seconds(s.ready), seconds(s.podsGone))
		if s.largest.bytes == 0 {
			fmt.Fprint(table, "\t\t")
		} else {
			fmt.Fprintf(table, "%.2f\t%.2f\t", s.perPod(s.creating), s.perPod(s.deleting))
		}
		for _, program := range programs {
			fmt.Fprintf(table, "%.1f\t", s.cpu[program].Seconds())
		}
		fmt.Fprintf(table, "%.1f\t%s\t", s.cpu.total().Seconds(), mebibytes(s.memory))
		if s.largest.bytes > 0 {
			fmt.Fprintf(table, "%d KiB %s", s.largest.bytes>>10, s.largest.what)
		}
		fmt.Fprintln(table, "\t")
	}
	table.Flush()
}
