package crds_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// namedSet is a PodCliqueSet as far as names go.
type namedSet struct {
	name    string
	cliques cliques
	groups  []namedGroup
	packs   []namedGroup // without names
}

type namedGroup struct {
	name    string
	members []string
}

func (s namedSet) object() map[string]any {
	object := s.cliques.object()
	object["metadata"] = map[string]any{"name": s.name}
	template := object["spec"].(map[string]any)["template"].(map[string]any)
	var groups, packs []any
	for _, group := range s.groups {
		groups = append(groups, map[string]any{"name": group.name, "cliqueNames": anys(group.members)})
	}
	for _, pack := range s.packs {
		packs = append(packs, map[string]any{"cliqueNames": anys(pack.members)})
	}
	template["podCliqueScalingGroups"] = groups
	template["schedulingPolicyConfig"] = map[string]any{"networkPackGroups": packs}
	return object
}

func (s namedSet) groupsOf(clique string) []namedGroup { return containing(s.groups, clique) }

func containing(groups []namedGroup, clique string) []namedGroup {
	var found []namedGroup
	for _, group := range groups {
		if slices.Contains(group.members, clique) {
			found = append(found, group)
		}
	}
	return found
}

// What the messages of rules say before they list the offenders, in the order of the rules.
const (
	unknownAfter   = "startsAfter names cliques that are not in the template"
	unknownMember  = "cliqueNames names cliques that are not in the template"
	inTwoGroups    = "a clique can be in one scaling group only"
	inTwoPacks     = "a clique can be in one pack group only"
	samePods       = "pods of a clique outside of any scaling group and of one inside would have the same names"
	sameAutoscaler = "HorizontalPodAutoscalers of a scaling group and of a clique would have the same name"
)

// offenders is the plain check of references and generated names: what is wrong, and who is to blame.
func (s namedSet) offenders() map[string][]string {
	found := map[string][]string{}
	blame := func(what, format string, args ...any) {
		found[what] = append(found[what], fmt.Sprintf(format, args...))
	}
	for _, clique := range s.cliques.names {
		for _, after := range s.cliques.startsAfter[clique] {
			if !slices.Contains(s.cliques.names, after) {
				blame(unknownAfter, "%s in %s", after, clique)
			}
		}
		if groups := s.groupsOf(clique); len(groups) > 1 {
			for _, group := range groups {
				blame(inTwoGroups, "%s in %s", clique, group.name)
			}
		}
		if len(containing(s.packs, clique)) > 1 {
			blame(inTwoPacks, "%s", clique)
		}
	}
	for _, group := range s.groups {
		for _, member := range group.members {
			if !slices.Contains(s.cliques.names, member) {
				blame(unknownMember, "%s in %s", member, group.name)
			}
		}
	}
	for _, pack := range s.packs {
		for _, member := range pack.members {
			if !slices.Contains(s.cliques.names, member) {
				blame(unknownMember+" (pack)", "%s", member)
			}
		}
	}
	s.blameCollisions(blame)
	return found
}

// indexes are some of the numbers that generated names end with.
var indexes = []int{0, 1, 12}

// blameCollisions writes all names out, rather than to think about which can be equal.
func (s namedSet) blameCollisions(blame func(what, format string, args ...any)) {
	pods, podCliques, autoscalers, units, slicesOfPods := owners{}, owners{}, owners{}, owners{}, owners{}
	for _, i := range indexes {
		units.add(fmt.Sprintf("%s-%d", s.name, i), "base")
		for _, clique := range s.cliques.names {
			podClique := fmt.Sprintf("%s-%s-%d", s.name, clique, i)
			podCliques.add(podClique, clique)
			autoscalers.add(podClique, clique)
			slices := []string{podClique}
			if len(s.groupsOf(clique)) > 0 {
				slices = nil
				for _, g := range indexes {
					slices = append(slices, fmt.Sprintf("%s-%d", podClique, g))
				}
			}
			for _, slice := range slices {
				slicesOfPods.add(slice, clique)
				for _, p := range indexes {
					pods.add(fmt.Sprintf("%s-%d", slice, p), clique)
				}
			}
		}
		for _, group := range s.groups {
			for _, g := range indexes {
				units.add(fmt.Sprintf("%s-%d-%s-%d", s.name, i, group.name, g), group.name)
			}
		}
	}
	for _, group := range s.groups {
		autoscalers.add(s.name+"-"+group.name, "group "+group.name)
	}
	for _, standalone := range s.cliques.names {
		for _, member := range s.cliques.names {
			if pods.share(standalone, member) && len(s.groupsOf(standalone)) == 0 {
				blame(samePods, "%s and %s", standalone, member)
			}
		}
	}
	for _, group := range s.groups {
		for _, clique := range s.cliques.names {
			if autoscalers.share("group "+group.name, clique) {
				blame(sameAutoscaler, "%s and %s", group.name, clique)
			}
		}
	}
	for what, names := range map[string]owners{"PodCliques": podCliques, "gang units": units} {
		if names.collide() {
			blame(what+" have the same name", "%s", s.name)
		}
	}
	if slicesOfPods.collide() && !pods.collide() {
		blame("slices have the same name, but not their pods", "%s", s.name)
	}
}

// owners maps generated names to what they are generated from.
type owners map[string][]string

func (o owners) add(name, owner string) { o[name] = append(o[name], owner) }

func (o owners) share(a, b string) bool {
	for _, owners := range o {
		if a != b && slices.Contains(owners, a) && slices.Contains(owners, b) {
			return true
		}
	}
	return false
}

func (o owners) collide() bool {
	for _, owners := range o {
		if len(owners) > 1 {
			return true
		}
	}
	return false
}

// randomSet draws from few names, many of which are others with a number, so that much goes wrong.
func randomSet(random *rand.Rand) namedSet {
	pool := []string{"w", "w-0", "w-1", "w-0-0", "w-12", "w-00", "w-012", "x", "x-1", "x-w", "0", "1-0", "w0"}
	pick := func(most int) []string {
		random.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		return slices.Clone(pool[:1+random.IntN(most)])
	}
	set := namedSet{name: "t", cliques: cliques{names: pick(8), startsAfter: map[string][]string{}}}
	refer := func(most int) []string {
		if random.IntN(8) == 0 {
			return pick(most)
		}
		random.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		known := slices.DeleteFunc(slices.Clone(pool), func(name string) bool { return !slices.Contains(set.cliques.names, name) })
		return known[:1+random.IntN(min(most, len(known)))]
	}
	for i, clique := range set.cliques.names[1:] {
		earlier := set.cliques.names[:i+1]
		if random.IntN(3) == 0 {
			set.cliques.startsAfter[clique] = []string{earlier[random.IntN(len(earlier))]}
		}
		if random.IntN(40) == 0 {
			set.cliques.startsAfter[clique] = []string{"nobody"}
		}
	}
	for _, name := range pick(4)[1:] {
		set.groups = append(set.groups, namedGroup{name: name, members: refer(3)})
	}
	for range random.IntN(3) {
		set.packs = append(set.packs, namedGroup{members: refer(2)})
	}
	return set
}

// TestNameRulesAreExact compares rules with the plain check on random sets: the same objections, with the same names.
func TestNameRulesAreExact(t *testing.T) {
	admission := newAdmission(t)["PodCliqueSet"]
	random := seeded(t)
	const sets = 3000
	count := map[string]int{}
	for range sets {
		set := randomSet(random)
		want := set.offenders()
		errs, _ := admission.validate(set.object())
		if diff := cmp.Diff(want, objections(t, errs)); diff != "" {
			t.Fatalf("%+v: -want +got:\n%s", set, diff)
		}
		for what := range want {
			count[what]++
		}
		if len(want) == 0 {
			count["nothing"]++
		}
	}
	t.Logf("of %d sets: %v", sets, count)
	for _, what := range []string{"nothing", unknownAfter, unknownMember, unknownMember + " (pack)", inTwoGroups, inTwoPacks, samePods, sameAutoscaler} {
		if count[what] < sets/100 {
			t.Errorf("%s: only %d of %d sets: the test says little", what, count[what], sets)
		}
	}
}

// objections turns errors into what offenders returns.
func objections(t *testing.T, errs field.ErrorList) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, err := range errs {
		what, list, _ := strings.Cut(err.Detail, ": ")
		var names []string
		if err := yaml.Unmarshal([]byte(list), &names); err != nil {
			t.Fatalf("%v: %v", errs.ToAggregate(), err)
		}
		if strings.HasPrefix(err.Field, "spec.template.schedulingPolicyConfig") && what == unknownMember {
			what += " (pack)"
		}
		found[what] = names
	}
	return found
}

// TestNameLengthsAreExact finds, for each length of a set's name, the longest names that rules let through, and compares
// the longest generated names with what a pod's name, a host name and a label may have.
func TestNameLengthsAreExact(t *testing.T) {
	const most = 63
	admission := newAdmission(t)["PodCliqueSet"]
	for length := 1; length <= most; length++ {
		name := strings.Repeat("s", length)
		standalone := longest(t, admission, func(clique string) namedSet {
			return namedSet{name: name, cliques: cliques{names: []string{clique}}}
		})
		member := longest(t, admission, func(clique string) namedSet {
			return namedSet{name: name, cliques: cliques{names: []string{clique}}, groups: []namedGroup{{"g", []string{clique}}}}
		})
		group := longest(t, admission, func(group string) namedSet {
			return namedSet{name: name, cliques: cliques{names: []string{"c"}}, groups: []namedGroup{{group, []string{"c"}}}}
		})
		want := [3]int{
			max(0, most-len(fmt.Sprintf("%s--%d-%d", name, 9998, 9998))),
			max(0, most-len(fmt.Sprintf("%s--%d-%d-%d", name, 9998, 998, 9998))),
			max(0, most-len(fmt.Sprintf("%s-%d--%d", name, 9998, 998))),
		}
		if want[1] == 0 { // without a clique in it there is no group
			want[2] = 0
		}
		if diff := cmp.Diff(want, [3]int{standalone, member, group}); diff != "" {
			t.Errorf("a set's name of %d characters: -want +got:\n%s", length, diff)
		}
	}
}

// longest is the greatest length of a name with which the set is valid.
func longest(t *testing.T, admission admission, set func(name string) namedSet) int {
	t.Helper()
	return sort.Search(63, func(length int) bool {
		errs, _ := admission.validate(set(strings.Repeat("n", length+1)).object())
		return len(errs) > 0
	})
}
