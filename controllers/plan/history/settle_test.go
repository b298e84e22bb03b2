package history_test

import (
	"time"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// settle lets everything but random events go on until nothing is written any more, first with the room that there happens to be and then with
// enough, and says what isn't as it should be then.
func (w *world) settle() string {
	w.scheduling.Gangs = true
	w.calmNodes()
	ready := w.IntN(2) == 0
	if why := w.quieten(ready); why != "" {
		return why
	}
	if why := w.stuck(); why != "" {
		return "with the room that there is, " + why
	}
	w.addNode(plan.MostPods)
	if why := w.quieten(ready); why != "" {
		return why
	}
	return w.unsettled()
}

// quieten lets everybody work in turns until nobody does anything any more.
func (w *world) quieten(ready bool) string {
	const enough, quiet = 200, 3
	idle := 0
	for range enough {
		before := w.writes
		w.turn(ready)
		switch idle++; {
		case len(w.faults) > 0:
			return "while it settled:"
		case w.writes != before:
			idle = 0
		case idle == quiet:
			return ""
		}
	}
	return "it never settles"
}

// turn lets everybody work once, after so long that no back-off lasts.
func (w *world) turn(ready bool) {
	w.now = w.now.Add(10 * time.Minute)
	for name, pod := range w.live.pods {
		switch {
		case !w.serves(pod.Spec.NodeName):
		case !plan.Lives(pod):
			w.writes++
			delete(w.live.pods, name)
		case ready && !plan.HasEnded(pod) && !plan.IsReady(pod):
			w.writes++
			w.become(name, plantest.Ready)
		}
	}
	w.finalize()
	w.schedule()
	w.act()
	w.seen(-1)
	w.describe()
	w.lacks = w.lacking()
}

// unsettled says which pod is missing, too many, on a node that is lost, or waits for a place.
func (w *world) unsettled() string {
	wanted := map[string]bool{}
	for _, podClique := range w.cache.cliques {
		clique, _ := w.clique(podClique)
		for id := range clique.Identities() {
			wanted[id.Name] = true
			switch pod := w.live.pods[id.Name]; {
			case clique.Gang.Status.Phase == v1alpha1.PodGangSucceeded:
			case pod == nil:
				return "pod " + id.Name + " is missing: " + clique.Waits(w.now)
			case !plan.Lives(pod):
				return "pod " + id.Name + " never ends"
			case !plan.IsScheduled(pod):
				return "pod " + id.Name + " waits for a place for ever"
			case !plan.HasEnded(pod) && !w.serves(pod.Spec.NodeName):
				return "pod " + id.Name + " is on node " + pod.Spec.NodeName + ", which is lost"
			}
		}
	}
	for name, pod := range w.live.pods {
		// What a set leaves behind on a node that is lost is in nobody's way.
		left := w.live.cliques[pod.Labels[v1alpha1.LabelPodClique]] == nil && !plan.Lives(pod) && !w.serves(pod.Spec.NodeName)
		if !wanted[name] && !left {
			return "pod " + name + " is of nobody's spec, but of " + pod.Labels[v1alpha1.LabelPodClique]
		}
	}
	return w.toldWrong()
}
