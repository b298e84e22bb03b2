// Package scheduler tells schedulers about gangs, and controllers what schedulers make of them.
//
// Controllers know a Backend alone. A further scheduler, such as KAI, Volcano or the one of scheduler-plugins, is another
// implementation of it and another value of --scheduler-backend:
//
//   - Scheduling says what the scheduler can do, from which the planner derives what is left to pod affinity. A scheduler that knows
//     more kinds of topology than one key for a unit and one for a pack group gets a field in plan.Scheduling.
//   - Join makes a pod a member of a group: an annotation or a label, and schedulerName where the set names none.
//   - Write brings the scheduler's objects for a gang to what podgang.Placements say, with an apply.Kind for each of their kinds.
//     KAI has one PodGroup with nested subgroups for a unit, Volcano one with a subGroupPolicy, scheduler-plugins one that has to exist
//     before its pods, as kube-scheduler's does.
//   - Verdicts are the scheduler's words, out of the statuses of those objects.
//   - Watch says whose changes concern a gang, and DeleteAll ends what a set leaves behind.
package scheduler

import (
	"context"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

// Backend is a kind of scheduler, as controllers use it. Its methods may be called at any time, from several goroutines.
type Backend interface {
	// Scheduling says what the scheduler can do at present.
	Scheduling() plan.Scheduling
	// Group is what there is of a group of a PodGang, which is nil where there is none yet.
	Group(namespace, group string, podGang *v1alpha1.PodGang) plan.SchedulerGroup
	// Join makes a pod that is about to be created a member of a group.
	Join(pod *corev1ac.PodApplyConfiguration, group string)
	// Write brings what the scheduler knows of a PodGang, the owner, to what placements say. A group that pods name isn't deleted, and one that
	// an earlier gang has left isn't used again, unless pods that live name it.
	Write(ctx context.Context, owner apply.Owner, placements []podgang.Placement, named podgang.Names) error
	// DeleteAll deletes what the scheduler knows of a set's gangs, with few requests.
	DeleteAll(ctx context.Context, namespace, set string, podGangs []*v1alpha1.PodGang) error
	// Verdicts are the scheduler's words on the units of a PodGang that it can't place, by their names.
	Verdicts(podGang *v1alpha1.PodGang) map[string]string
	// Watch marks PodGangs in loops: one when what the scheduler knows or says of it changes, and all when
	// the scheduler can do more or less than before.
	Watch(all func() []cache.ObjectName, loops ...*runner.Loop)
	// WatchGroups marks in loops those whose pods wait for a group of a PodGang, when one comes or goes, and all when the scheduler can do
	// more or less than before.
	WatchGroups(all func() []cache.ObjectName, waiting func(podGang cache.ObjectName) []cache.ObjectName, loops ...*runner.Loop)
	// Fresh tells whether the caches have seen all that Write wrote for a PodGang; Forget drops what is known of one that is gone.
	Fresh(podGang cache.ObjectName) bool
	Forget(podGang cache.ObjectName)
	// Shutdown returns when the caches have ended, after those of the cluster were stopped.
	Shutdown()
}
