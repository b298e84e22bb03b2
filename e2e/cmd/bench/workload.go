package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// clients is how many sets are created or deleted at a time.
const clients = 16

// bareClients is how many objects of bare gangs are created at a time.
const bareClients = 64

// background deletes as kubectl does.
var background = metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}

// workload is one or more objects that become pods.
type workload struct {
	// name is for people.
	name string
	// pods and sets are how many pods, and how many available PodCliqueSets, there are in the end.
	pods, sets int
	// small is set for a workload of which nothing but times is measured.
	small          bool
	create, delete func(ctx context.Context) error
}

// deployment is a plain Deployment with a headless Service by which its pods find each other, as those of a set do.
func (b *bench) deployment(name string, pods int) workload {
	client := b.core.AppsV1().Deployments(namespace)
	labels := map[string]string{"app": name}
	object := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(pods)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
		},
	}
	return workload{
		name: fmt.Sprintf("Deployment of %d pods", pods),
		pods: pods,
		create: func(ctx context.Context) error {
			_, err := client.Create(ctx, object, metav1.CreateOptions{})
			return errors.Join(b.createService(ctx, name, labels), err)
		},
		delete: func(ctx context.Context) error {
			return errors.Join(
				b.core.CoreV1().Services(namespace).Delete(ctx, name, metav1.DeleteOptions{}),
				client.Delete(ctx, name, background))
		},
	}
}

// createService creates a headless Service.
func (b *bench) createService(ctx context.Context, name string, selector map[string]string) error {
	_, err := b.core.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: selector, PublishNotReadyAddresses: true},
	}, metav1.CreateOptions{})
	return err
}

// bareGangs are pods and PodGroups as sets have them of which each replica has units of some sizes, made by this program: what gangs cost whoever
// makes them.
func (b *bench) bareGangs(name string, replicas int, units ...int) workload {
	gangs := replicas * len(units)
	sizeOf := func(gang int) int { return units[gang%len(units)] }
	var gangOf []int // of each pod
	for gang := range gangs {
		gangOf = append(gangOf, slices.Repeat([]int{gang}, sizeOf(gang))...)
	}
	labels := map[string]string{"app": name}
	each := func(n int, do func(i int) error) error {
		errs := make([]error, n)
		workqueue.ParallelizeUntil(context.Background(), bareClients, n, func(i int) { errs[i] = do(i) })
		return errors.Join(errs...)
	}
	group := func(gang int) string { return fmt.Sprintf("%s-%d", name, gang) }
	all := metav1.ListOptions{LabelSelector: "app=" + name}
	return workload{
		name: fmt.Sprintf("bare PodGroups (%d) with %d pods", gangs, len(gangOf)),
		pods: len(gangOf),
		create: func(ctx context.Context) error {
			err := b.createService(ctx, name, labels)
			if err != nil {
				return err
			}
			err = each(len(gangOf), func(i int) error {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", name, i), Labels: labels}, Spec: podSpec()}
				pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: ptr.To(group(gangOf[i]))}
				_, err := b.core.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
				return err
			})
			return errors.Join(err, each(gangs, func(gang int) error {
				podGroup := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Name: group(gang), Labels: labels}}
				podGroup.Spec.SchedulingPolicy.Gang = &schedulingv1beta1.GangSchedulingPolicy{MinCount: int32(sizeOf(gang))}
				_, err := b.core.SchedulingV1beta1().PodGroups(namespace).Create(ctx, podGroup, metav1.CreateOptions{})
				return err
			}))
		},
		delete: func(ctx context.Context) error {
			return errors.Join(
				b.core.CoreV1().Services(namespace).Delete(ctx, name, metav1.DeleteOptions{}),
				// The API server gives up after a minute, in which it may not have come to the last of ten thousand.
				retry.OnError(wait.Backoff{Steps: 10}, func(error) bool { return ctx.Err() == nil }, func() error {
					return b.core.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, all)
				}),
				b.core.SchedulingV1beta1().PodGroups(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, all))
		},
	}
}

// podCliqueSets are equal sets, created and deleted several at a time.
func (b *bench) podCliqueSets(name string, sets, podsOfEach int, spec v1alpha1.PodCliqueSetSpec) workload {
	client := b.grove.GroveV1alpha1().PodCliqueSets(namespace)
	each := func(ctx context.Context, do func(name string) error) error {
		errs := make([]error, sets)
		workqueue.ParallelizeUntil(ctx, clients, sets, func(i int) { errs[i] = do(fmt.Sprintf("%s-%d", name, i)) })
		return errors.Join(errs...)
	}
	return workload{
		name: fmt.Sprintf("PodCliqueSets (%d) of %d pods", sets, podsOfEach),
		pods: sets * podsOfEach,
		sets: sets,
		create: func(ctx context.Context) error {
			return each(ctx, func(name string) error {
				object := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
				_, err := client.Create(ctx, object, metav1.CreateOptions{})
				return err
			})
		},
		delete: func(ctx context.Context) error {
			return each(ctx, func(name string) error { return client.Delete(ctx, name, background) })
		},
	}
}

// pairs is a set of many replicas of one clique of 2 pods.
func pairs(replicas int32) v1alpha1.PodCliqueSetSpec {
	return v1alpha1.PodCliqueSetSpec{
		Replicas: replicas,
		Template: v1alpha1.PodCliqueSetTemplateSpec{Cliques: []v1alpha1.PodCliqueTemplateSpec{clique("pair", podsOfPair)}},
	}
}

// chains is a set of many replicas of two cliques of one pod, of which the second starts after the first. Nobody runs them.
func chains(replicas int32) v1alpha1.PodCliqueSetSpec {
	spec := v1alpha1.PodCliqueSetSpec{
		Replicas: replicas,
		Template: v1alpha1.PodCliqueSetTemplateSpec{
			CliqueStartupType: v1alpha1.CliqueStartupTypeInOrder,
			Cliques:           []v1alpha1.PodCliqueTemplateSpec{clique("first", 1), clique("second", 1)},
		},
	}
	for i := range spec.Template.Cliques {
		spec.Template.Cliques[i].Annotations = unattended
	}
	return spec
}

// tenPodsUnits are how many pods the units of a replica of tenPods have: the base, which one group replica is in, and the other group replica.
var tenPodsUnits = []int{6, 4}

// tenPods is a set of one replica: a clique of 2 pods, and a scaling group of 2 replicas of 4 pods in 2 cliques.
func tenPods() v1alpha1.PodCliqueSetSpec {
	return v1alpha1.PodCliqueSetSpec{
		Replicas: 1,
		Template: v1alpha1.PodCliqueSetTemplateSpec{
			Cliques: []v1alpha1.PodCliqueTemplateSpec{clique("router", 2), clique("leader", 1), clique("worker", 3)},
			PodCliqueScalingGroups: []v1alpha1.PodCliqueScalingGroupConfig{{
				Name: "serving",
				PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{
					CliqueNames: []string{"leader", "worker"},
					Replicas:    ptr.To(int32(2)),
				},
			}},
		},
	}
}

func clique(name string, replicas int32) v1alpha1.PodCliqueTemplateSpec {
	return v1alpha1.PodCliqueTemplateSpec{
		Name: name,
		Spec: v1alpha1.PodCliqueSpec{Replicas: &replicas, PodSpec: podSpec()},
	}
}

// podSpec is the same for all workloads.
func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{
		Name:  "main",
		Image: "registry.k8s.io/pause:3.10",
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("16Mi"),
		}},
	}}}
}
