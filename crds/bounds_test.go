package crds_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// What one object may ask for, so that it can't exhaust the operator, nor fill etcd.
const (
	mostPodsOfReplica = 5000
	mostPods          = 20000
	mostPodCliques    = 5000
)

// The numbers that rules bound, of an object named %[1]s. A number of replicas that is refused by its own maximum is left out:
// one objection is enough, and products of the rest fit into an integer. A member's pods are counted in the first group that
// names it; a second one is refused elsewhere.
const (
	podsOfTemplate = `%[1]s.cliques.map(c, c.spec.replicas <= 9999, c.spec.replicas * ((has(%[1]s.podCliqueScalingGroups) ? ` +
		`%[1]s.podCliqueScalingGroups.map(g, c.name in g.cliqueNames && g.replicas <= 999, g.replicas) : []) + [1])[0]).sum()`
	podCliquesOfSet = `%[1]s.replicas * %[1]s.template.cliques.size()`
	setIsBounded    = `self.replicas > 9999 || `
)

var podsOfSet = `%[1]s.replicas * ` + strings.ReplaceAll(podsOfTemplate, "%[1]s", "%[1]s.template")

// What lets a set through that was stored before there were limits, so that it can still be edited: no number in it has grown.
// The estimate of costs knows no size of an old list, which is therefore looked up in and not gone through.
const replicasNotGrown = `self.replicas <= oldSelf.value().replicas`

// bound is the rule that a number has to be within a limit, or is not above what it was.
func bound(number string, limit int, notGrown string) string {
	return fmt.Sprintf("%s <= %d || oldSelf.hasValue() && %s", of(number, "self"), limit, notGrown)
}

func of(number, object string) string { return fmt.Sprintf(number, object) }

// notGrown is said of the template, which is self or self.template.
func notGrown(template string) string {
	list := func(name, replicas string) string {
		return fmt.Sprintf(`self%[1]s.%[2]s.size() == o.%[2]s.size() && self%[1]s.%[2]s.all(i, n, n.name == o.%[2]s[i].name && n.%[3]s <= o.%[2]s[i].%[3]s)`,
			template, name, replicas)
	}
	return fmt.Sprintf(`[oldSelf.value()%[1]s].exists(o, %[2]s && (!has(self%[1]s.podCliqueScalingGroups) || has(o.podCliqueScalingGroups) && %[3]s))`,
		template, list("cliques", "spec.replicas"), list("podCliqueScalingGroups", "replicas"))
}

// TestBoundRules rebuilds the rules, which are too long to be read where they stand.
func TestBoundRules(t *testing.T) {
	spec := newAdmission(t)["PodCliqueSet"].structural.Properties["spec"]
	template := spec.Properties["template"]
	got := map[string]string{}
	for _, rule := range slices.Concat(spec.XValidations, template.XValidations) {
		if rule.OptionalOldSelf != nil && *rule.OptionalOldSelf {
			got[rule.Rule] = rule.MessageExpression
		}
	}
	want := map[string]string{
		bound(podsOfTemplate, mostPodsOfReplica, notGrown("")): fmt.Sprintf(
			`'a replica of the set would have %%d pods, and may have %d: lower the replicas of cliques or of scaling groups'.format([%s])`,
			mostPodsOfReplica, of(podsOfTemplate, "self")),
		setIsBounded + bound(podsOfSet, mostPods, replicasNotGrown+" && "+notGrown(".template")): fmt.Sprintf(
			`'%%d replicas with %%d pods each would be %%d pods, and a set may have %d: lower replicas, or those of cliques or scaling groups'`+
				`.format([self.replicas, %s, %s])`, mostPods, of(podsOfTemplate, "self.template"), of(podsOfSet, "self")),
		setIsBounded + bound(podCliquesOfSet, mostPodCliques, replicasNotGrown): fmt.Sprintf(
			`'%%d replicas with %%d cliques each would be %%d PodCliques, and a set may have %d: lower replicas'`+
				`.format([self.replicas, self.template.cliques.size(), %s])`, mostPodCliques, of(podCliquesOfSet, "self")),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// sizedSet is a PodCliqueSet as far as numbers go.
type sizedSet struct {
	replicas int
	cliques  []int
	groups   []int
	groupOf  []int // of each clique, -1 if none
}

func (s sizedSet) podsOfReplica() int {
	pods := 0
	for i, replicas := range s.cliques {
		if group := s.groupOf[i]; group >= 0 {
			replicas *= s.groups[group]
		}
		pods += replicas
	}
	return pods
}

// broken are the limits that the set is beyond, found by counting.
func (s sizedSet) broken() []string {
	var broken []string
	if n := s.replicas * s.podsOfReplica(); n > mostPods {
		broken = append(broken, fmt.Sprintf("spec.replicas: %d pods", n))
	}
	if n := s.replicas * len(s.cliques); n > mostPodCliques {
		broken = append(broken, fmt.Sprintf("spec.replicas: %d PodCliques", n))
	}
	if n := s.podsOfReplica(); n > mostPodsOfReplica {
		broken = append(broken, fmt.Sprintf("spec.template.cliques: %d pods", n))
	}
	return broken
}

// object writes one replica as often as not by leaving it out.
func (s sizedSet) object(random *rand.Rand) map[string]any {
	var list, groups []any
	members := make([][]any, len(s.groups))
	for i, replicas := range s.cliques {
		name := fmt.Sprintf("c%d", i)
		spec := map[string]any{"podSpec": map[string]any{"containers": []any{map[string]any{"name": "main"}}}}
		if replicas != 1 || random.IntN(2) == 0 {
			spec["replicas"] = int64(replicas)
		}
		list = append(list, map[string]any{"name": name, "spec": spec})
		if group := s.groupOf[i]; group >= 0 {
			members[group] = append(members[group], name)
		}
	}
	for i, replicas := range s.groups {
		if len(members[i]) == 0 {
			continue
		}
		group := map[string]any{"name": fmt.Sprintf("g%d", i), "cliqueNames": members[i]}
		if replicas != 1 || random.IntN(2) == 0 {
			group["replicas"] = int64(replicas)
		}
		groups = append(groups, group)
	}
	object := podCliqueSet("t", list)
	spec := object["spec"].(map[string]any)
	spec["replicas"] = int64(s.replicas)
	if len(groups) > 0 || random.IntN(2) == 0 {
		spec["template"].(map[string]any)["podCliqueScalingGroups"] = groups
	}
	return object
}

// randomSizes are near the limits as often as far away.
func randomSizes(random *rand.Rand) sizedSet {
	set := sizedSet{replicas: random.IntN(8), groups: make([]int, random.IntN(4))}
	if random.IntN(3) == 0 {
		set.replicas = random.IntN(1500)
	}
	for i := range set.groups {
		set.groups[i] = random.IntN(20)
	}
	most := []int{3, 30, 300, 2000}[random.IntN(4)]
	for range 1 + random.IntN(32) {
		set.cliques = append(set.cliques, random.IntN(most))
		set.groupOf = append(set.groupOf, random.IntN(len(set.groups)+1)-1)
	}
	return set
}

// TestBoundsAreExact compares the rules with counting, on random sets.
func TestBoundsAreExact(t *testing.T) {
	admission := newAdmission(t)["PodCliqueSet"]
	random := seeded(t)
	const sets = 60
	count := map[int]int{}
	for range sets {
		set := randomSizes(random)
		errs, _ := admission.validate(set.object(random))
		var got []string
		for _, err := range errs {
			words := strings.Fields(err.Detail[strings.Index(err.Detail, "would "):])
			got = append(got, fmt.Sprintf("%s: %s %s", err.Field, words[2], strings.Trim(words[3], ",")))
		}
		want := set.broken()
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v: -want +got:\n%s", set, diff)
		}
		count[len(want)]++
	}
	t.Logf("of %d sets, by the number of limits that they are beyond: %v", sets, count)
	for broken := range 4 {
		if count[broken] < sets/100 {
			t.Errorf("only %d of %d sets are beyond %d limits: the test says little", count[broken], sets, broken)
		}
	}
}

// TestSetsBeyondBoundsCanBeEdited: one that is stored with more than it may have can change, as long as none of its numbers
// grows.
func TestSetsBeyondBoundsCanBeEdited(t *testing.T) {
	admission := newAdmission(t)["PodCliqueSet"]
	random := seeded(t)
	stored := sizedSet{replicas: 3000, cliques: []int{6000, 1}, groups: []int{2}, groupOf: []int{-1, 0}}
	for name, test := range map[string]struct {
		change func(*sizedSet)
		broken int
	}{
		"nothing":                 {func(*sizedSet) {}, 0},
		"one replica less":        {func(s *sizedSet) { s.replicas-- }, 0},
		"one replica more":        {func(s *sizedSet) { s.replicas++ }, 2},
		"one pod less":            {func(s *sizedSet) { s.cliques = []int{5999, 1} }, 0},
		"one pod more":            {func(s *sizedSet) { s.cliques = []int{6001, 1} }, 2},
		"a group replica more":    {func(s *sizedSet) { s.groups = []int{3} }, 2},
		"more here, less there":   {func(s *sizedSet) { s.cliques, s.groups = []int{5990, 1}, []int{3} }, 2},
		"more pods, but in fewer": {func(s *sizedSet) { s.replicas, s.cliques = 3, []int{6500, 1} }, 1},
	} {
		changed := stored
		test.change(&changed)
		old, object := stored.object(random), changed.object(random)
		object["spec"].(map[string]any)["template"].(map[string]any)["cliques"].([]any)[0].(map[string]any)["labels"] = map[string]any{"edited": "x"}
		admission.validate(old) // sets defaults; its objections are known
		admission.validate(object)
		errs, _ := admission.rules.Validate(context.Background(), nil, admission.structural, object, old, celconfig.RuntimeCELCostBudget)
		if len(errs) != test.broken {
			t.Errorf("%s: want %d objections, got %v", name, test.broken, errs.ToAggregate())
		}
	}
}
