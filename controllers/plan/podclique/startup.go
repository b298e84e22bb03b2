package podclique

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/startup"
)

const (
	// accountPath is where client libraries look for credentials. The init container has its own there, which keeps the API server's
	// admission from mounting the pod's.
	accountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
	// rootCertificates is the ConfigMap that every namespace has.
	rootCertificates = "kube-root-ca.crt"
	// tokenSeconds is the life of a token, the shortest that the API server gives. The kubelet renews it.
	tokenSeconds = 600
	// nobody is the user that the init container runs as: any but root.
	nobody = 65532
)

// Requests and limits of the init container are equal, so that a Guaranteed pod stays so. A pod's containers need more anyway, and
// they start after it.
var initResources = corev1.ResourceList{
	corev1.ResourceCPU:    resource.MustParse("100m"),
	corev1.ResourceMemory: resource.MustParse("32Mi"),
}

// ancestors are the cliques that a clique starts after, in the order of the template.
func ancestors(t plan.Template, clique string) []string {
	var before []string
	switch t.Set.Spec.Template.CliqueStartupType {
	case v1alpha1.CliqueStartupTypeInOrder:
		for _, other := range t.Cliques() {
			if other.Name == clique {
				break
			}
			before = append(before, other.Name)
		}
	case v1alpha1.CliqueStartupTypeExplicit:
		after := map[string][]string{}
		for i := range t.Cliques() {
			after[t.Cliques()[i].Name] = t.Cliques()[i].Spec.StartsAfter
		}
		reached := map[string]bool{}
		for next := slices.Clone(after[clique]); len(next) > 0; next = next[1:] {
			if !reached[next[0]] {
				reached[next[0]] = true
				next = append(next, after[next[0]]...)
			}
		}
		for _, other := range t.Cliques() {
			if reached[other.Name] {
				before = append(before, other.Name)
			}
		}
	}
	return before
}

// order is what a pod starts after. Ancestors in its own scaling group count in its own group replica, others in the base unit.
func (b builder) order(id plan.PodIdentity) startup.Order {
	order := startup.Order{PodGroup: id.PodGroup}
	for _, ancestor := range b.ancestors {
		podClique := plan.PodCliqueName(b.Set.Name, ancestor, b.i)
		if scalingGroup := b.template.ScalingGroupOf[ancestor]; scalingGroup != nil && scalingGroup == b.template.ScalingGroupOf[b.clique.Name] {
			order.PodGroups = append(order.PodGroups, plan.PodGroupName(podClique, id.GroupReplica))
		} else {
			order.PodCliques = append(order.PodCliques, podClique)
		}
	}
	return order
}

// startInOrder puts the init container that waits ahead of all others.
func (b builder) startInOrder(spec *corev1ac.PodSpecApplyConfiguration, id plan.PodIdentity) {
	order := b.order(id)
	if !order.Any() {
		return
	}
	own := spec.InitContainers
	spec.InitContainers = nil
	spec.WithInitContainers(initContainer(b.InitImage, order))
	spec.InitContainers = append(spec.InitContainers, own...)
	spec.Volumes = slices.Clone(spec.Volumes)
	spec.WithVolumes(credentials())
}

func initContainer(image string, order startup.Order) *corev1ac.ContainerApplyConfiguration {
	return corev1ac.Container().
		WithName(startup.ContainerName).
		WithImage(image).
		WithCommand("/"+startup.ContainerName).
		WithArgs(order.Args()...).
		WithEnv(
			fieldVar(startup.EnvNamespace, "metadata.namespace"),
			fieldVar(startup.EnvPodGang, "metadata.labels['"+v1alpha1.LabelPodGang+"']")).
		WithResources(corev1ac.ResourceRequirements().WithRequests(initResources).WithLimits(initResources)).
		WithVolumeMounts(corev1ac.VolumeMount().WithName(startup.ContainerName).WithMountPath(accountPath).WithReadOnly(true)).
		WithSecurityContext(corev1ac.SecurityContext().
			WithRunAsNonRoot(true).WithRunAsUser(nobody).WithRunAsGroup(nobody).
			WithReadOnlyRootFilesystem(true).WithAllowPrivilegeEscalation(false).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault)))
}

func fieldVar(name, path string) *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().WithFieldRef(corev1ac.ObjectFieldSelector().WithFieldPath(path)))
}

// credentials are a volume like the one that the API server's admission gives a container: a token, which nobody else of the pod
// sees, and what it takes to trust the API server.
func credentials() *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(startup.ContainerName).WithProjected(corev1ac.ProjectedVolumeSource().WithSources(
		corev1ac.VolumeProjection().WithServiceAccountToken(
			corev1ac.ServiceAccountTokenProjection().WithPath("token").WithExpirationSeconds(tokenSeconds)),
		corev1ac.VolumeProjection().WithConfigMap(corev1ac.ConfigMapProjection().
			WithName(rootCertificates).
			WithItems(corev1ac.KeyToPath().WithKey("ca.crt").WithPath("ca.crt")))))
}
