package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// In what shape pods are asked for. The first two are measured at each size, to compare with.
const (
	shapeDeployment = "Deployment"
	shapeBare       = "bare client"
	// shapeSet is one set, of which each replica has 10 pods.
	shapeSet = "set"
	// shapeSets are as many sets of one replica.
	shapeSets = "sets"
	// shapeGroups is one set all pods of which are in a scaling group, of as few replicas as admission lets.
	shapeGroups = "groups"
)

// shapes are those of Grove, one or more of which are measured.
var shapes = []string{shapeSet, shapeSets, shapeGroups}

const (
	// mostPodsOfReplica is how many pods admission lets a replica of a set have, and podsOfGroupReplica how many a group replica has here.
	mostPodsOfReplica  = 5000
	podsOfGroupReplica = 10
	// deletedPods is how many pods of scaling groups of one set took minutes to delete elsewhere.
	deletedPods = 5000
)

// scaled is how a workload of one shape and size went.
type scaled struct {
	life
	shape string
	pods  int
	// memory is the operator's largest resident set meanwhile, in bytes.
	memory int64
	// largest is the largest object of Grove's kinds once everything was as it should be.
	largest sized
}

// sized is an object with its length as JSON, in bytes.
type sized struct {
	what  string
	bytes int
}

// measureScale measures each size in each shape that was asked for. The largest size also shows what others wait for meanwhile, and what
// changes of single pods, and a restart of the operator, cost beside so many.
func (b *bench) measureScale(ctx context.Context) error {
	if _, err := b.live(ctx, b.deployment("first", smallPods), nil); err != nil {
		return err
	}
	tenant, err := b.newNeighbour(ctx)
	if err != nil {
		return err
	}
	largest := slices.Max(b.sizes)
	var curve []scaled
	defer func() { b.report.scale(curve) }()
	measure := func(shape string, pods int, more func(context.Context) error) error {
		one, err := b.measureScaled(ctx, shape, pods, more)
		if err == nil {
			curve = append(curve, one)
		}
		return err
	}
	for _, pods := range b.sizes {
		for _, shape := range slices.Concat([]string{shapeDeployment, shapeBare}, b.shapes) {
			var err error
			switch {
			case pods == largest && shape == shapeDeployment:
				err = tenant.beside(ctx, shape, pods, func(context.Context) error { return measure(shape, pods, nil) })
			case pods == largest && shape == shapeSet:
				err = tenant.beside(ctx, shape, pods, func(context.Context) error { return measure(shape, pods, b.measureRest) })
			default:
				err = measure(shape, pods, nil)
			}
			if err != nil {
				return err
			}
		}
	}
	if largest > deletedPods && slices.Contains(b.shapes, shapeGroups) && !slices.Contains(b.sizes, deletedPods) {
		return measure(shapeGroups, deletedPods, nil)
	}
	return nil
}

// measureScaled measures a workload of one shape and size, and does more while it is up.
func (b *bench) measureScaled(ctx context.Context, shape string, pods int, more func(context.Context) error) (scaled, error) {
	s := scaled{shape: shape, pods: pods}
	if err := resetPeakMemory(b.operator.PID()); err != nil {
		return s, err
	}
	w := b.shaped(shape, pods)
	var err error
	s.life, err = b.live(ctx, w, func(ctx context.Context) error {
		if err := s.readMemory(b.operator.PID()); err != nil {
			return err
		}
		if w.sets > 0 {
			if s.largest, err = b.largestObject(ctx); err != nil {
				return err
			}
		}
		if more == nil {
			return nil
		}
		return more(ctx)
	})
	if err != nil {
		return s, err
	}
	return s, s.readMemory(b.operator.PID())
}

// readMemory notes what an operator has used, which may be another than before.
func (s *scaled) readMemory(pid int) error {
	peak, err := peakMemory(pid)
	s.memory = max(s.memory, peak)
	return err
}

// shaped is a workload of as many pods.
func (b *bench) shaped(shape string, pods int) workload {
	switch shape {
	case shapeDeployment:
		return b.deployment("plain", pods)
	case shapeBare:
		return b.bareGangs("bare", pods/smallPods, tenPodsUnits...)
	case shapeSets:
		return b.podCliqueSets("sets", pods/smallPods, smallPods, tenPods())
	case shapeGroups:
		return b.podCliqueSets("groups", 1, pods, grouped(pods))
	default:
		spec := tenPods()
		spec.Replicas = int32(pods / smallPods)
		return b.podCliqueSets("wide", 1, pods, spec)
	}
}

// grouped is a set of a scaling group with a clique of one pod and another of nine: one replica, or more where one can't have as many pods.
func grouped(pods int) v1alpha1.PodCliqueSetSpec {
	replicas := (pods + mostPodsOfReplica - 1) / mostPodsOfReplica
	return v1alpha1.PodCliqueSetSpec{
		Replicas: int32(replicas),
		Template: v1alpha1.PodCliqueSetTemplateSpec{
			Cliques: []v1alpha1.PodCliqueTemplateSpec{clique("leader", 1), clique("worker", podsOfGroupReplica-1)},
			PodCliqueScalingGroups: []v1alpha1.PodCliqueScalingGroupConfig{{
				Name: "serving",
				PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{
					CliqueNames: []string{"leader", "worker"},
					Replicas:    ptr.To(int32(pods / replicas / podsOfGroupReplica)),
				},
			}},
		},
	}
}

// largestObject finds the largest of the objects of Grove's kinds that exist.
func (b *bench) largestObject(ctx context.Context) (sized, error) {
	var largest sized
	for _, resource := range []string{"podcliquesets", "podgangs", "podcliques", "podcliquescalinggroups"} {
		data, err := b.grove.GroveV1alpha1().RESTClient().Get().Namespace(namespace).Resource(resource).Do(ctx).Raw()
		if err != nil {
			return largest, err
		}
		var list struct{ Items []json.RawMessage }
		if err := json.Unmarshal(data, &list); err != nil {
			return largest, fmt.Errorf("list of %s: %w", resource, err)
		}
		for _, item := range list.Items {
			var object metav1.PartialObjectMetadata
			if len(item) <= largest.bytes {
				continue
			}
			if err := json.Unmarshal(item, &object); err != nil {
				return largest, fmt.Errorf("one of %s: %w", resource, err)
			}
			largest = sized{resource + "/" + object.Name, len(item)}
		}
	}
	return largest, nil
}
