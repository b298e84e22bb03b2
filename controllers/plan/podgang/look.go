package podgang

import (
	"sync"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// look is what a gang's parts are judged by.
type look struct {
	// inPlace tells whether pods are changed where they are, changes are those that they need, and templates are what the set's cliques
	// were made from.
	inPlace   bool
	changes   changes
	templates func() []plan.PodTemplate
	restarts  plan.Restarts
	// created has, for each pod group, one more than the highest index that ever existed.
	created map[string]int32
	// wereUp has the pod groups whose unit was available.
	wereUp map[string]bool
}

func (g Gang) look() look {
	l := look{
		inPlace:   g.Set.Spec.UpdateStrategy.InPlace == v1alpha1.InPlaceIfPossible,
		changes:   changes{},
		templates: sync.OnceValue(g.templates),
		restarts:  plan.RestartsOf(g.Object()),
		created:   map[string]int32{},
		wereUp:    map[string]bool{},
	}
	records := plan.UnitRecords(g.Object())
	for _, unit := range plan.UnitsOf(g.Object()) {
		up := records[unit.Name].AvailableSince != nil
		for _, group := range unit.PodGroups {
			l.created[group.Name], l.wereUp[group.Name] = group.Created, up
		}
	}
	return l
}

// templates are what the set's ControllerRevisions record.
func (g Gang) templates() []plan.PodTemplate {
	var all []plan.PodTemplate
	for _, record := range g.Revisions {
		all = append(all, plan.TemplatesIn(record)...)
	}
	return all
}

// at adds the pods of a PodClique to the parts that they are in.
func (l look) at(clique plan.Clique, parts map[int32]*part, key func(id plan.PodIdentity) int32) {
	if clique.Object == nil {
		return
	}
	pods, hash, together := clique.PodsByName(), clique.TemplateHash(), clique.Together() != plan.Alone
	ready, members := map[string]int32{}, map[string]*part{}
	for id := range clique.Identities() {
		p := parts[key(id)]
		if p == nil {
			p = &part{}
			parts[key(id)] = p
		}
		members[id.PodGroup] = p
		p.together = p.together || together
		pod := pods[id.Name]
		switch {
		case pod == nil:
			p.busy = p.busy || id.Index < l.created[id.PodGroup]
		case !plan.Lives(pod) || l.restarts.Outlived(pod, id.PodGroup):
			p.busy = true
		case isStale(pod, hash):
			p.outdated = append(p.outdated, l.stale(clique, pod, hash))
			p.lacking = p.lacking || clique.ScalingGroup == nil && !isUp(pod)
			p.busy = p.busy || isChanging(pod)
		default:
			p.current++
			p.busy = p.busy || isChanging(pod) || !isUp(pod) && (plan.IsScheduled(pod) || l.wereUp[id.PodGroup])
		}
		ready[id.PodGroup] += plan.One(plan.Lives(pod) && isUp(pod))
	}
	for podGroup, p := range members {
		p.lacking = p.lacking || clique.ScalingGroup != nil && ready[podGroup] < clique.MinAvailable()
	}
}

// isStale tells whether a pod isn't of a podSpec, or won't ever be.
func isStale(pod *corev1.Pod, hash string) bool {
	return pod.Labels[v1alpha1.LabelPodTemplateHash] != hash || plan.InPlaceOf(pod).Resizing || plan.Infeasible(pod, hash)
}

// isChanging tells whether a pod is in the middle of a change where it is: it may stop being ready at any moment.
func isChanging(pod *corev1.Pod) bool { return plan.InPlaceOf(pod).Resizing || !plan.Settled(pod) }

// stale is what is to be done to a pod of an older podSpec.
func (l look) stale(clique plan.Clique, pod *corev1.Pod, hash string) stale {
	if !l.inPlace {
		return stale{pod: pod}
	}
	return stale{pod: pod, patch: l.patch(clique, pod, hash)}
}

// isUp tells whether a pod is ready, or has done its work.
func isUp(pod *corev1.Pod) bool {
	return plan.IsReady(pod) || pod.Status.Phase == corev1.PodSucceeded
}
