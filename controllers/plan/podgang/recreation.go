package podgang

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// recreated are the records of pod groups that have to be recreated together, since a container of one's pods restarted, or a pod was
// lost: every pod group of the group replica, or the pod group alone, as the restartPolicy says.
func (g Gang) recreated(now time.Time) map[string]v1alpha1.PodGroupStatus {
	restarts := plan.RestartsOf(g.Object())
	lost, policies := map[string]bool{}, map[string]plan.Together{}
	var peers map[string]int
	for _, clique := range g.Cliques {
		together := clique.Together()
		if together == plan.Alone || g.Object().Status.Phase == v1alpha1.PodGangSucceeded {
			continue
		}
		if peers == nil {
			peers = restarts.Peers(g.pods())
		}
		pods, hash := clique.PodsByName(), clique.TemplateHash()
		for id := range clique.Identities() {
			policies[id.PodGroup] = together
			if among := restarts.Among(id.PodGroup); g.isLost(clique, pods[id.Name], restarts, id, hash, peers[among] > 0) {
				lost[scope(together, among, id.PodGroup)] = true
			}
		}
	}
	changed := map[string]v1alpha1.PodGroupStatus{}
	for _, before := range g.Object().Status.PodGroups {
		if together, ok := policies[before.Name]; ok && lost[scope(together, restarts.Among(before.Name), before.Name)] {
			record := counted(before, now)
			record.Restarts = max(record.Restarts, g.born(func(podGroup string) bool { return podGroup == before.Name }, before.Restarts)+1)
			changed[before.Name] = record
		}
	}
	return changed
}

// scope is what is recreated together with a pod group.
func scope(together plan.Together, among, podGroup string) string {
	if together == plan.WholeGroupReplica {
		return "group replica " + among
	}
	return podGroup
}

// isLost tells whether a pod, or what there is of it, has its peers recreated with it. One on its way out that is of another podSpec
// than its PodClique's, or that its node can't make one of that, is being updated.
func (g Gang) isLost(clique plan.Clique, pod *corev1.Pod, restarts plan.Restarts, id plan.PodIdentity, hash string, peers bool) bool {
	switch {
	case pod == nil:
		return peers && clique.WasWhole(g.Object(), id)
	case restarts.Outlived(pod, id.PodGroup):
		return false
	case !plan.Lives(pod):
		return !isStale(pod, hash) && pod.Status.Phase != corev1.PodSucceeded
	default:
		return pod.Status.Phase == corev1.PodFailed || plan.Restarted(pod)
	}
}

// counted is the record of a pod group that is recreated once more.
func counted(record v1alpha1.PodGroupStatus, now time.Time) v1alpha1.PodGroupStatus {
	if record.RestartedAt == nil || now.Sub(record.RestartedAt.Time) > plan.Recovered {
		record.RestartsInARow = 0
	}
	record.Restarts++
	record.RestartsInARow++
	record.RestartedAt = micro(now)
	return record
}

func (g Gang) pods() []*corev1.Pod {
	var all []*corev1.Pod
	for _, clique := range g.Cliques {
		all = append(all, clique.Pods...)
	}
	return all
}

// recreations are the pod groups that were recreated from one status to the next.
func recreations(before, after *v1alpha1.PodGangStatus) []v1alpha1.PodGroupStatus {
	counted := map[string]int32{}
	for _, podGroup := range before.PodGroups {
		counted[podGroup.Name] = podGroup.Restarts
	}
	var recreated []v1alpha1.PodGroupStatus
	for _, podGroup := range after.PodGroups {
		if podGroup.Restarts > counted[podGroup.Name] {
			recreated = append(recreated, podGroup)
		}
	}
	return recreated
}
