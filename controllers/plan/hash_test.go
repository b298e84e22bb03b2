package plan_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/randfill"

	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// The hashes below are on pods in clusters. If this test fails, an upgrade of the operator replaces every pod there.
func TestHashesStay(t *testing.T) {
	for file, want := range map[string]string{
		"podspec-small.json": "a4e28627bc",
		"podspec-0.37.json":  "d3a3262a39",
	} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		var spec corev1.PodSpec
		if err := json.Unmarshal(data, &spec); err != nil {
			t.Fatal(err)
		}
		if got := plan.PodTemplateHash(&spec, ""); got != want {
			t.Errorf("the hash of %s is %s, it was %s", file, got, want)
		}
	}
}

// The file named after a version of k8s.io/api uses every field of its podSpec. Once there are more, they get a file of their own, written
// with -update, beside the one that pods were made from.
func TestHashedPodSpecUsesEveryField(t *testing.T) {
	var spec corev1.PodSpec
	fillEach(t, reflect.ValueOf(&spec).Elem(), "PodSpec")
	got, err := json.MarshalIndent(&spec, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "podspec-0.37.json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
		t.Errorf("a podSpec with every field (-before +now):\n%s", diff)
	}
}

// fillEach gives every field below a value one that isn't zero and follows from the field's name alone.
func fillEach(t *testing.T, value reflect.Value, name string) {
	t.Helper()
	switch special := value.Addr().Interface().(type) {
	case *resource.Quantity:
		*special = resource.MustParse("1500m")
		return
	case *metav1.Time:
		*special = metav1.NewTime(plantest.Now.UTC())
		return
	case *metav1.FieldsV1:
		*special = *metav1.NewFieldsV1(`{"f:spec":{}}`)
		return
	case *intstr.IntOrString:
		*special = intstr.FromString("http")
		return
	}
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fillEach(t, value.Elem(), name)
	case reflect.Struct:
		for i := range value.NumField() {
			fillEach(t, value.Field(i), value.Type().Field(i).Name)
		}
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fillEach(t, value.Index(0), name)
	case reflect.Map:
		item := reflect.New(value.Type().Elem()).Elem()
		fillEach(t, item, name)
		value.Set(reflect.MakeMap(value.Type()))
		value.SetMapIndex(reflect.ValueOf("key").Convert(value.Type().Key()), item)
	case reflect.String:
		value.SetString(name)
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int32, reflect.Int64:
		value.SetInt(int64(len(name)))
	default:
		t.Fatalf("%s is a %s, which this test can't fill", name, value.Type())
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
			if same := plan.PodTemplateHash(changed, "") == plan.PodTemplateHash(base(), ""); same != test.same {
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
		back := plan.Configuration[corev1.PodSpec](plan.PodSpecConfiguration(&spec))
		normal := plan.Configuration[corev1.PodSpec](&spec)
		if !equality.Semantic.DeepEqual(normal, back) {
			t.Fatalf("seed %d (-spec +after the round trip):\n%s", seed, cmp.Diff(normal, back))
		}
		if plan.PodTemplateHash(&spec, "") != plan.PodTemplateHash(back, "") {
			t.Fatalf("seed %d: the hash has changed on the round trip", seed)
		}
	}
}

func TestConfigurationsHaveNoNoise(t *testing.T) {
	config := plan.PodSpecConfiguration(&corev1.PodSpec{
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
		if plan.PodTemplateHash(&spec, "") != plan.PodTemplateHash(plan.Configuration[corev1.PodSpec](&spec), "") {
			t.Errorf("the hash of %s changes when it is written again", data)
		}
	})
}

func TestGenerationHashCoversEveryClique(t *testing.T) {
	set := plantest.RandomSet(rand.New(rand.NewPCG(5, 5)))
	before := plan.GenerationHash(set)
	set.Annotations = map[string]string{"touched": "yes"}
	set.Spec.Replicas++
	set.Spec.Template.Cliques[0].Labels = map[string]string{"touched": "yes"}
	if plan.GenerationHash(set) != before {
		t.Error("something else than a podSpec has changed the hash")
	}
	for i := range set.Spec.Template.Cliques {
		changed := set.DeepCopy()
		changed.Spec.Template.Cliques[i].Spec.PodSpec.NodeSelector = map[string]string{"x": "y"}
		if plan.GenerationHash(changed) == before {
			t.Errorf("the podSpec of clique %d isn't covered", i)
		}
	}
}
