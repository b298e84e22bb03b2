// Package scalinggroup is the controller of PodCliqueScalingGroups: it describes which of a group's replicas are available.
package scalinggroup

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	grovev1alpha1 "grove.io/grove/apis/applyconfiguration/grove/v1alpha1"
	grovelisters "grove.io/grove/apis/client/listers/grove/v1alpha1"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/internal/fresh"
	"grove.io/grove/controllers/internal/index"
	"grove.io/grove/controllers/internal/observe"
	"grove.io/grove/controllers/internal/runner"
	"grove.io/grove/controllers/plan"
)

// manager is the controller's field manager.
const manager = "grove-scalinggroup"

type controller struct {
	cluster *cluster.Cluster
	groups  grovelisters.PodCliqueScalingGroupLister
	status  *apply.Status[*v1alpha1.PodCliqueScalingGroup, v1alpha1.PodCliqueScalingGroupStatus, *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration]
}

// New returns the loop of the controller.
func New(cluster *cluster.Cluster) []*runner.Loop {
	grove := cluster.GroveInformers.Grove().V1alpha1()
	c := &controller{
		cluster: cluster,
		groups:  grove.PodCliqueScalingGroups().Lister(),
		status: &apply.Status[*v1alpha1.PodCliqueScalingGroup, v1alpha1.PodCliqueScalingGroupStatus, *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration]{
			Manager: manager, Recorder: cluster.Recorder, FirstWithin: apply.PartFirstWithin,
			Cache: grove.PodCliqueScalingGroups().Informer().GetIndexer(),
			Of: func(group *v1alpha1.PodCliqueScalingGroup) *v1alpha1.PodCliqueScalingGroupStatus {
				return &group.Status
			},
			Conditions: func(status *v1alpha1.PodCliqueScalingGroupStatus) []metav1.Condition { return status.Conditions },
			Client: func(namespace string) apply.StatusClient[*v1alpha1.PodCliqueScalingGroup, *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration] {
				return cluster.Grove.GroveV1alpha1().PodCliqueScalingGroups(namespace)
			},
			Configuration: func(group *v1alpha1.PodCliqueScalingGroup, status *v1alpha1.PodCliqueScalingGroupStatus) *grovev1alpha1.PodCliqueScalingGroupApplyConfiguration {
				return grovev1alpha1.PodCliqueScalingGroup(group.Name, group.Namespace).
					WithStatus(plan.Configuration[grovev1alpha1.PodCliqueScalingGroupStatusApplyConfiguration](status))
			},
		},
	}
	statuses := runner.Statuses("scalinggroup-status", c.describe)
	runner.Watch(statuses, grove.PodCliqueScalingGroups().Informer(), itself)
	runner.Watch(statuses, grove.PodGangs().Informer(), c.groupsIn)
	runner.WatchSpecs(statuses, grove.PodCliqueSets().Informer(), c.groupsOf)
	return []*runner.Loop{statuses}
}

func itself(group *v1alpha1.PodCliqueScalingGroup) []cache.ObjectName {
	return []cache.ObjectName{cache.MetaObjectToName(group)}
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
func (c *controller) describe(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	group, err := c.groups.PodCliqueScalingGroups(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.status.Forget(key)
		return 0, nil
	}
	if err != nil || group.DeletionTimestamp != nil {
		return 0, err
	}
	if !c.status.Fresh.Fresh(key) {
		return fresh.Retry, nil
	}
	set, there := observe.Set(c.cluster, group)
	if !there {
		return 0, nil
	}
	podGangs := c.cluster.GroveInformers.Grove().V1alpha1().PodGangs().Informer().GetIndexer()
	observed := plan.Group{Object: group, Set: set, PodGangs: index.Controlled[*v1alpha1.PodGang](podGangs, set.UID)}
	now := c.cluster.Clock.Now()
	status := observed.Status(now)
	if wait := c.status.Beginning(group, now); wait > 0 && observed.Begins(&status) {
		return wait, nil
	}
	return c.status.Write(ctx, group, &status, observed.Patience(&status), now)
}
