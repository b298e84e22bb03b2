package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

const (
	mostRatio          = 2.0
	mostRequestsPerPod = 3.7
	// mostRequestsPerManyPods is for many small sets.
	mostRequestsPerManyPods = 3.0
	// mostOfBare is for a set beside a bare client with the same pods and PodGroups, where nothing throttles either.
	mostOfBare = 1.3
	// mostCPUOfBare is for the processor time of all programs.
	mostCPUOfBare = 1.4
	mostSmall     = 500 * time.Millisecond
	mostSmallTold = 700 * time.Millisecond
	// mostSmallWorst is for the slowest of all small sets.
	mostSmallWorst = time.Second
	// mostTold is for what users are told on a quiet cluster, mostRepaired for what somebody else has told them.
	mostTold       = time.Second
	mostRepaired   = 2 * time.Second
	mostLag        = 200 * time.Millisecond
	mostStartLag   = 500 * time.Millisecond
	mostInitMemory = 20 << 20
	// mostRequestsPerUpdatedPod and mostWaiting, the share of an update in which Grove and no pod is waited for, are for a large set.
	mostRequestsPerUpdatedPod = 4.0
	mostWaiting               = 0.1
)

// missed is the verdict on a figure beside its target.
const missed = "MISSED"

// row is one figure beside its target. Grove and deployment are absolute.
type row struct{ what, deployment, grove, figure, target, verdict string }

// distribution says where requests went.
type distribution struct {
	what string
	requests
	pods int
}

// report collects figures.
type report struct {
	rows          []row
	distributions []distribution
	cpu           cpuTable
	curve         []scaled
}

func (r *report) add(what, deployment, grove, figure, target string, met bool) {
	verdict := "ok"
	if !met {
		verdict = missed
	}
	r.rows = append(r.rows, row{what, deployment, grove, figure, target, verdict})
}

// tell adds a figure that has no target.
func (r *report) tell(what, deployment, grove, figure, beside string) {
	r.rows = append(r.rows, row{what, deployment, grove, figure, beside, ""})
}

func (r *report) small(ready, worst, available time.Duration) {
	what := fmt.Sprintf("%d-pod set, median of %d: ", smallPods, smallRuns)
	target := fmt.Sprintf("≤ %s (there 5.4 s)", seconds(mostSmall))
	r.add(what+"pods ready", "", seconds(ready), "", target, ready <= mostSmall)
	r.add("… worst", "", seconds(worst), "", "≤ "+seconds(mostSmallWorst), worst <= mostSmallWorst)
	r.add(what+"phase Available", "", seconds(available), "", "≤ "+seconds(mostSmallTold), available <= mostSmallTold)
}

func (r *report) told(t told) {
	what := fmt.Sprintf("%d-pod set, worst of %d: ", smallPods, toldRuns)
	r.add(what+"the set and all its parts have a status", "", seconds(t.statuses), "", "≤ "+seconds(mostTold), t.statuses <= mostTold)
	r.add("… a refused pod is told by the set and an event", "", seconds(t.refused), "", "≤ "+seconds(mostTold), t.refused <= mostTold)
	r.add("… another's write of a PodGang's status is undone", "", seconds(t.repaired), "", "≤ "+seconds(mostRepaired), t.repaired <= mostRepaired)
}

// missed tells whether a figure is beside its target.
func (r *report) missed() bool {
	return slices.ContainsFunc(r.rows, func(row row) bool { return row.verdict == missed })
}

func (r *report) large(plain, bare, grove life, raiseLimits bool) {
	what := fmt.Sprintf("%d pods ", largePods)
	r.ratio(what+"exist", plain.exist, grove.exist, "10")
	r.ratio(what+"ready", plain.ready, grove.ready, "8")
	r.tell("… by a bare client, in PodGroups alike", seconds(plain.ready), seconds(bare.ready), ratio(plain.ready, bare.ready), "")
	used, of := grove.cpu.total(), bare.cpu.total()
	r.add("… processor time of all programs, ratio to the bare client", seconds(of), seconds(used), ratio(of, used), fmt.Sprintf("≤ %.1f", mostCPUOfBare),
		used.Seconds() <= mostCPUOfBare*of.Seconds())
	r.cpu = cpuTable{plain.cpu, bare.cpu, grove.cpu}
	if raiseLimits {
		r.add("… by Grove, ratio to the bare client", seconds(bare.ready), seconds(grove.ready), ratio(bare.ready, grove.ready),
			fmt.Sprintf("≤ %.1f", mostOfBare), grove.ready.Seconds() <= mostOfBare*bare.ready.Seconds())
	}
	r.ratio(what+"gone", plain.podsGone, grove.podsGone, "2.4")
	r.tell("… and all between gone", seconds(plain.allGone), seconds(grove.allGone), ratio(plain.allGone, grove.allGone), "")
	r.tell(what+"in phase Available", "", seconds(grove.available), "", "")
	r.add("last pod bound to PodGang Scheduled, median", "", seconds(grove.lag), "", "≤ "+seconds(mostLag), grove.lag <= mostLag)
	perPod := float64(grove.creating.total()) / largePods
	r.add("requests per pod, created", "", fmt.Sprint(grove.creating.total()), fmt.Sprintf("%.2f", perPod),
		fmt.Sprintf("≤ %.1f (there 11.8)", mostRequestsPerPod), perPod <= mostRequestsPerPod)
	r.tell("requests per pod, deleted", "", fmt.Sprint(grove.deleting.total()), fmt.Sprintf("%.2f", float64(grove.deleting.total())/largePods), "")
	r.tell("operator's CPU while created", "", seconds(grove.cpu[operator]), "", "(there 14 s)")
	r.distribute(fmt.Sprintf("creating the set of %d pods", largePods), grove.creating)
	r.distribute("deleting it", grove.deleting)
}

func (r *report) unchanged(touched, atRest requests) {
	r.add("requests for an annotation", "", fmt.Sprint(touched.total()), "", "a status at most (there 500)", touched.atMostOneStatus())
	r.add(fmt.Sprintf("requests in %.0f s at rest", resting.Seconds()), "", fmt.Sprint(atRest.total()), "", "leases and watches only", atRest.total() == 0)
	r.distribute("touching an annotation", touched)
	r.distribute("at rest", atRest)
}

func (r *report) order(begin, end time.Duration, h herd) {
	r.tell("init container begins to wait, median", "", seconds(begin), "", "")
	r.add("pod ready to init container behind it ended, median", "", seconds(end), "", "≤ "+seconds(mostStartLag), end <= mostStartLag)
	r.add("init container's memory, median", "", fmt.Sprintf("%d MiB", h.memory>>20), "", fmt.Sprintf("≤ %d MiB", mostInitMemory>>20), h.memory <= mostInitMemory)
	what := fmt.Sprintf("%d init containers that wait: ", herdSize)
	r.add(what+"watches, other requests", "", fmt.Sprintf("%d, %d", h.watches, h.others), "", "one watch each", h.watches <= herdSize && h.others == 0)
	r.add(what+"operator's requests, CPU", "", fmt.Sprintf("%d, %s", h.operator.total(), seconds(h.cpu)), "", "none", h.operator.total() == 0)
	r.tell(what+"pod ready to all ended", "", seconds(h.released), "", "")
}

func (r *report) many(l life) {
	what := fmt.Sprintf("%d sets of %d pods: ", manySets, smallPods)
	r.tell(what+"pods ready", "", seconds(l.ready), "", "")
	r.tell(what+"all Available", "", seconds(l.available), "", "")
	perPod := float64(l.creating.total()) / manySets / smallPods
	r.add(what+"requests per pod", "", fmt.Sprint(l.creating.total()), fmt.Sprintf("%.2f", perPod),
		fmt.Sprintf("≤ %.0f", mostRequestsPerManyPods), perPod <= mostRequestsPerManyPods)
	r.distribute(fmt.Sprintf("creating %d sets of %d pods", manySets, smallPods), l.creating)
}

func (r *report) update(replicas int, plain, grove renewal) {
	pods := replicas * smallPods
	r.took(replicas, "", plain, grove)
	perPod := float64(grove.requests.total()) / float64(pods)
	r.add("… requests per pod", "", fmt.Sprint(grove.requests.total()), fmt.Sprintf("%.2f", perPod), fmt.Sprintf("≤ %.1f", mostRequestsPerUpdatedPod), perPod <= mostRequestsPerUpdatedPod)
	r.distributions = append(r.distributions, distribution{what: fmt.Sprintf("updating the set of %d pods", pods), requests: grove.requests, pods: pods})
}

func (r *report) slowUpdate(replicas int, plain, grove renewal) {
	r.took(replicas, fmt.Sprintf(" that take %s to be ready", startsIn), plain, grove)
	r.add("… share in which no pod is waited for", percent(plain.share()), percent(grove.share()), "", "≤ "+percent(mostWaiting), grove.share() <= mostWaiting)
}

// took is how long updates of a StatefulSet and of a set took.
func (r *report) took(replicas int, which string, plain, grove renewal) {
	r.tell(fmt.Sprintf("update of %d replicas of %d pods%s (a StatefulSet: as many pods at a time)", replicas, smallPods, which),
		seconds(plain.took), seconds(grove.took), ratio(plain.took, grove.took), "")
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func (r *report) totals(cpu time.Duration, memory int64) {
	r.tell("operator's CPU in all of this run", "", seconds(cpu), "", "")
	r.tell("operator's peak RSS", "", fmt.Sprintf("%d MiB", memory>>20), "", "(there 156 MiB)")
}

func (r *report) ratio(what string, plain, grove time.Duration, there string) {
	target := fmt.Sprintf("≤ %.0f (there %s)", mostRatio, there)
	r.add(what, seconds(plain), seconds(grove), ratio(plain, grove), target, grove.Seconds() <= mostRatio*plain.Seconds())
}

func (r *report) distribute(what string, counts requests) {
	r.distributions = append(r.distributions, distribution{what: what, requests: counts, pods: largePods})
}

func ratio(plain, grove time.Duration) string {
	return fmt.Sprintf("%.2f", grove.Seconds()/plain.Seconds())
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func (r *report) print(out io.Writer, raiseLimits bool) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tDeployment\tGrove\tratio\ttarget\t")
	for _, row := range r.rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", row.what, row.deployment, row.grove, row.figure, row.target, row.verdict)
	}
	table.Flush()
	r.cpu.print(out)
	printCurve(out, r.curve)
	limits := "left at their defaults, 20 and 50 requests per second"
	if raiseLimits {
		limits = "raised to 10000 requests per second, so that they throttle nothing"
	}
	fmt.Fprintf(out, `
Times hold for this machine and its load only. "There" is ai-dynamo/grove, measured elsewhere.
The client rate limits of kube-controller-manager and kube-scheduler are %s.

The operator's requests, watches and leases aside:
`, limits)
	table = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range r.distributions {
		fmt.Fprintf(table, "%s:\t%d\t\n", d.what, d.total())
		for _, what := range d.mostFirst() {
			fmt.Fprintf(table, "  %s\t%d\t%.3f per pod\n", what, d.requests[what], float64(d.requests[what])/float64(d.pods))
		}
	}
	table.Flush()
}
