package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// LabelRack is the label that says in which rack a fake node stands, beside the standard ones for host and zone.
const LabelRack = "grove.io/rack"

// labelZone is the label that the sample spreads replicas by.
const labelZone = "kubernetes.io/zone"

// ResourceGPU is the extended resource that fake nodes offer.
const ResourceGPU corev1.ResourceName = "nvidia.com/gpu"

// Fleet describes fake nodes, all of one size, in racks, in zones.
type Fleet struct {
	Zones, RacksPerZone, NodesPerRack int
	// Capacity of each node; all of it is allocatable.
	Capacity corev1.ResourceList
}

// DefaultFleet is 16 nodes in 2 zones of 2 racks, each with 8 GPUs, 64 CPUs, 256 GiB and room for 110 pods.
func DefaultFleet() Fleet {
	return Fleet{Zones: 2, RacksPerZone: 2, NodesPerRack: 4, Capacity: corev1.ResourceList{
		ResourceGPU:           resource.MustParse("8"),
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}}
}

// Nodes returns the fleet's nodes, named zone-Z-rack-R-node-N.
func (f Fleet) Nodes() []*corev1.Node {
	var nodes []*corev1.Node
	for z := range f.Zones {
		zone := fmt.Sprintf("zone-%d", z)
		for r := range f.RacksPerZone {
			rack := fmt.Sprintf("%s-rack-%d", zone, r)
			for n := range f.NodesPerRack {
				nodes = append(nodes, f.node(fmt.Sprintf("%s-node-%d", rack, n), zone, rack))
			}
		}
	}
	return nodes
}

func (f Fleet) node(name, zone, rack string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname:     name,
				corev1.LabelTopologyZone: zone,
				labelZone:                zone,
				corev1.LabelOSStable:     "linux",
				LabelRack:                rack,
			},
		},
		Status: corev1.NodeStatus{Capacity: f.Capacity, Allocatable: f.Capacity},
	}
}

// AddNodes creates fake nodes, and waits until pods can be scheduled to them.
func (c *Cluster) AddNodes(ctx context.Context, nodes ...*corev1.Node) error {
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create node %s: %w", node.Name, err)
		}
	}
	for _, node := range nodes {
		if err := waitForNode(ctx, client, node.Name); err != nil {
			return fmt.Errorf("wait for node %s: %w%s", node.Name, err, c.failedLogs())
		}
	}
	return nil
}

func waitForNode(ctx context.Context, client kubernetes.Interface, name string) error {
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		return err == nil && schedulable(node), err
	})
}

// schedulable reports whether the node is ready and without the taint that says it is not.
func schedulable(node *corev1.Node) bool {
	if len(node.Spec.Taints) > 0 {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
