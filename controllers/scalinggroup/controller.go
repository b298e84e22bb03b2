// Package scalinggroup is the controller of PodCliqueScalingGroups: it describes which of a scaling group's replicas are available.
package scalinggroup

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/observe"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/scalinggroup"
)

type controller struct {
	cluster  *cluster.Cluster
	observer observe.Observer
	status   *apply.Status[*v1alpha1.PodCliqueScalingGroup, v1alpha1.PodCliqueScalingGroupStatus]
}

// New returns the loop of the controller.
func New(cluster *cluster.Cluster, pace *apply.Pace) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	c := &controller{
		cluster:  cluster,
		observer: observe.New(cluster, nil),
		status: apply.NewStatus(plan.ScalingGroupManager, grove.PodCliqueScalingGroups().Informer().GetIndexer(), pace, cluster.Recorder,
			cluster.Grove.GroveV1alpha1().PodCliqueScalingGroups, grovev1alpha1.PodCliqueScalingGroup,
			func(scalingGroup *v1alpha1.PodCliqueScalingGroup) *v1alpha1.PodCliqueScalingGroupStatus {
				return &scalingGroup.Status
			},
			func(status *v1alpha1.PodCliqueScalingGroupStatus) []metav1.Condition { return status.Conditions }),
	}
	c.status.Sums = true
	get := func(key cache.ObjectName) (*v1alpha1.PodCliqueScalingGroup, error) {
		return grove.PodCliqueScalingGroups().Lister().PodCliqueScalingGroups(key.Namespace).Get(key.Name)
	}
	head := runner.Head[*v1alpha1.PodCliqueScalingGroup]{Get: get, Fresh: c.status.Fresh, Gone: c.status.Gone}
	statuses := runner.Statuses("scalinggroup-status", head.Sync(c.describe))
	runner.Watch(statuses, grove.PodCliqueScalingGroups().Informer(), itself)
	runner.Watch(statuses, grove.PodGangs().Informer(), c.groupsIn)
	runner.WatchSpecs(statuses, grove.PodCliqueSets().Informer(), c.groupsOf)
	return []*runner.Loop{statuses}
}

func itself(scalingGroup *v1alpha1.PodCliqueScalingGroup) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(scalingGroup)}
}

// groupsIn are the groups that have replicas in a gang.
func (c *controller) groupsIn(podGang *v1alpha1.PodGang) []cache.ObjectName {
	set := metav1.GetControllerOfNoCopy(podGang)
	if set == nil {
		return nil
	}
	return c.controlled(set.UID)
}

// groupsOf are the groups of a set.
func (c *controller) groupsOf(set *v1alpha1.PodCliqueSet) []cache.ObjectName {
	return c.controlled(set.UID)
}

func (c *controller) controlled(set types.UID) []cache.ObjectName {
	groups := c.cluster.GroveInformers.Grove().V1alpha1().PodCliqueScalingGroups().Informer().GetIndexer()
	return index.Keys(index.Controlled[*v1alpha1.PodCliqueScalingGroup](groups, set))
}

// describe brings the status of one PodCliqueScalingGroup to what it should be.
func (c *controller) describe(ctx context.Context, scalingGroup *v1alpha1.PodCliqueScalingGroup) (time.Duration, error) {
	set, there := c.observer.Set(scalingGroup)
	if !there {
		c.status.Withdraw(scalingGroup)
		return 0, nil
	}
	podGangs := c.cluster.GroveInformers.Grove().V1alpha1().PodGangs().Informer().GetIndexer()
	observed := scalinggroup.ScalingGroup{Object: scalingGroup, Set: set, PodGangs: index.Controlled[*v1alpha1.PodGang](podGangs, set.UID)}
	now := c.cluster.Clock.Now()
	status := observed.Status(now)
	return c.status.Write(ctx, scalingGroup, &status, observed.Urgency(&status), now)
}
