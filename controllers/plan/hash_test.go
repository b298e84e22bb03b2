package plan

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/randfill"
)

// The hashes below are on pods in clusters. If this test fails, an upgrade of the operator replaces every pod there.
func TestHashesStay(t *testing.T) {
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image:1"}}}
	if got, want := PodTemplateHash(&spec), "a4e28627bc"; got != want {
		t.Errorf("hash of a small podSpec is %s, it was %s", got, want)
	}
}

func TestHashTellsWhatIsSaid(t *testing.T) {
	base := func() *corev1.PodSpec {
		return &corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "main", Image: "image:1",
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}},
			}},
			Volumes: []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		}
	}
	for name, test := range map[string]struct {
		change func(*corev1.PodSpec)
		same   bool
	}{
		"another image":        {func(s *corev1.PodSpec) { s.Containers[0].Image = "image:2" }, false},
		"false where unset":    {func(s *corev1.PodSpec) { s.EnableServiceLinks = ptr.To(false) }, false},
		"zero where unset":     {func(s *corev1.PodSpec) { s.TerminationGracePeriodSeconds = ptr.To[int64](0) }, false},
		"a quantity rewritten": {func(s *corev1.PodSpec) { s.Containers[0].Resources.Requests["cpu"] = resource.MustParse("1000m") }, true},
		"an empty list":        {func(s *corev1.PodSpec) { s.Tolerations = []corev1.Toleration{} }, true},
		"an empty struct":      {func(s *corev1.PodSpec) { s.SecurityContext = &corev1.PodSecurityContext{} }, true},
		"the order of args":    {func(s *corev1.PodSpec) { s.Containers[0].Args = []string{"b", "a"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			changed := base()
			test.change(changed)
			if same := PodTemplateHash(changed) == PodTemplateHash(base()); same != test.same {
				t.Errorf("the hash is the same: %v, want %v", same, test.same)
			}
		})
	}
}

// A podSpec goes through an apply configuration and through JSON on its way to a PodClique, and must mean the same there.
func TestPodSpecSurvivesItsConfiguration(t *testing.T) {
	for seed := range int64(500) {
		var spec corev1.PodSpec
		fill := randfill.NewWithSeed(seed).NilChance(0.6).NumElements(1, 3).MaxDepth(12).Funcs(
			func(q *resource.Quantity, c randfill.Continue) {
				*q = *resource.NewMilliQuantity(c.Int63n(1e9), resource.DecimalSI)
			},
			// The only metadata below a podSpec is that of volume claim templates, where nothing else is allowed.
			func(m *metav1.ObjectMeta, c randfill.Continue) { c.Fill(&m.Labels); c.Fill(&m.Annotations) },
		)
		fill.Fill(&spec)
		back := Configuration[corev1.PodSpec](podSpecConfiguration(&spec))
		normal := Configuration[corev1.PodSpec](&spec)
		if !equality.Semantic.DeepEqual(normal, back) {
			t.Fatalf("seed %d (-spec +after the round trip):\n%s", seed, cmp.Diff(normal, back))
		}
		if PodTemplateHash(&spec) != PodTemplateHash(back) {
			t.Fatalf("seed %d: the hash has changed on the round trip", seed)
		}
	}
}

func TestConfigurationsHaveNoNoise(t *testing.T) {
	config := podSpecConfiguration(&corev1.PodSpec{
		Containers:     []corev1.Container{{Name: "main"}},
		InitContainers: []corev1.Container{{Name: "init"}},
	})
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"initContainers":[{"name":"init"}],"containers":[{"name":"main"}]}`, string(data)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzCanonicalJSON looks for podSpecs whose hash depends on how they were written.
func FuzzCanonicalJSON(f *testing.F) {
	f.Add([]byte(`{"containers":[{"name":"a","image":"b","resources":{"limits":{"cpu":"1000m"}}}],"volumes":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var spec corev1.PodSpec
		if json.Unmarshal(data, &spec) != nil {
			t.Skip()
		}
		if PodTemplateHash(&spec) != PodTemplateHash(Configuration[corev1.PodSpec](&spec)) {
			t.Errorf("the hash of %s changes when it is written again", data)
		}
	})
}

func TestGenerationHashCoversEveryClique(t *testing.T) {
	set := randomSet(rand.New(rand.NewPCG(5, 5)))
	before := GenerationHash(set)
	set.Annotations = map[string]string{"touched": "yes"}
	set.Spec.Replicas++
	set.Spec.Template.Cliques[0].Labels = map[string]string{"touched": "yes"}
	if GenerationHash(set) != before {
		t.Error("something else than a podSpec has changed the hash")
	}
	for i := range set.Spec.Template.Cliques {
		changed := set.DeepCopy()
		changed.Spec.Template.Cliques[i].Spec.PodSpec.NodeSelector = map[string]string{"x": "y"}
		if GenerationHash(changed) == before {
			t.Errorf("the podSpec of clique %d isn't covered", i)
		}
	}
}
