package verbs_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
)

// packed asks that all workers of a unit share a zone.
func packed(set *v1alpha1.PodCliqueSet) {
	set.Spec.Template.SchedulingPolicyConfig = &v1alpha1.SchedulingPolicyConfig{NetworkPackGroups: []v1alpha1.NetworkPackGroupConfig{{
		CliqueNames: []string{"worker"}, WhenUnsatisfiable: corev1.DoNotSchedule,
	}}}
}

// spread asks that each replica is in one zone, and that they are in different ones.
func spread(set *v1alpha1.PodCliqueSet) {
	set.Spec.ReplicaSpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
	}}
}

func TestFit(t *testing.T) {
	tests := map[string]struct {
		nodes []runtime.Object
		set   func(set *v1alpha1.PodCliqueSet)
		// up tells whether the set as it is in the file is there already, on a node of its own.
		up     bool
		refuse error
		args   []string
		code   int
	}{
		"fit.txt":              {nodes: clitest.Nodes(8, 8)},
		"fit-none.txt":         {code: 1},
		"fit-scaled.txt":       {nodes: clitest.Nodes(6, 8), code: 1},
		"fit-base.txt":         {nodes: clitest.Nodes(3, 8), code: 1},
		"fit-base.json":        {nodes: clitest.Nodes(3, 8), args: []string{"-o", "json"}, code: 1},
		"fit-packed.txt":       {nodes: clitest.Nodes(8, 8), set: packed},
		"fit-closest.txt":      {nodes: clitest.Nodes(4, 8), set: func(set *v1alpha1.PodCliqueSet) { packed(set); four(set) }, code: 1},
		"fit-key.txt":          {nodes: clitest.Nodes(8, 8), set: packed, args: []string{"--network-topology-key", "example.com/rack"}, code: 1},
		"fit-spread.txt":       {nodes: clitest.Nodes(8, 8), set: func(set *v1alpha1.PodCliqueSet) { spread(set); packed(set) }},
		"fit-spread-lacks.txt": {nodes: clitest.Nodes(8, 8), set: func(set *v1alpha1.PodCliqueSet) { spread(set); set.Spec.Replicas = 3 }, code: 1},
		"fit-surplus.txt": {nodes: clitest.Nodes(8, 8), set: func(set *v1alpha1.PodCliqueSet) {
			set.Spec.Template.Cliques[0].Spec.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("200Gi")}
			set.Spec.Template.Cliques[0].Spec.Replicas = &nine
			set.Spec.Template.Cliques[0].Spec.PodSpec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "v"}}}}
		}},
		"fit-up.txt":      {nodes: clitest.Nodes(2, 8), up: true, set: func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 3 }, code: 1},
		"fit-refused.txt": {refuse: apierrors.NewBadRequest("strict decoding error: unknown field \"spec.replica\""), code: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			asked := clitest.Set(t, "web.yaml")
			clients := clitest.Clients(test.nodes)
			var live *v1alpha1.PodCliqueSet
			if test.up {
				w := up(t)
				for _, clique := range w.Cliques {
					for _, pod := range clique.Pods {
						pod.UID, pod.Spec.NodeName = types.UID(pod.Name), "gpu-1"
					}
				}
				live = w.Object
				clients = clitest.WorldClients(w, test.nodes...)
			}
			if test.set != nil {
				test.set(asked)
			}
			out, code := clitest.Run(t, apiServer(t, clients, live, func(bool) error { return test.refuse }), verbs.Fit,
				append([]string{"-f", file(t, asked)}, test.args...)...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			clitest.Golden(t, name, out)
		})
	}
}

var nine int32 = 9

// four gives each unit four workers, so that two nodes of a zone have too few GPUs.
func four(set *v1alpha1.PodCliqueSet) {
	var four int32 = 4
	set.Spec.Template.Cliques[2].Spec.Replicas = &four
}
