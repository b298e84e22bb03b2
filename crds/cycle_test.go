package crds_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// The parts of the rule against cycles. It begins with a map from the cliques that wait to those that they wait for, and
// drops, in each round, the cliques that wait for none in the map any more: a list of one element is mapped again and
// again, which gives a value a name without nesting. An empty list is no wait, and goes in the first round. Each round drops
// one clique at least, or none from then on: so after as many rounds as there can be cliques, what is left is on a cycle or
// waits for one. A name that comes twice, which is refused elsewhere, counts once: a map with it twice would be an error, and
// hide the reason.
const (
	cycleRounds = 32
	cycleStart  = `[self.cliques.map(c, c.name)].map(names, self.cliques.transformMapEntry(i, c, has(c.spec.startsAfter) && names.indexOf(c.name) == i, {c.name: c.spec.startsAfter}))`
	cycleRound  = `.map(r, r.transformMap(n, a, a.exists(s, s in r), a))`
	cycleEnd    = `.all(r, r.size() == 0)`
)

// The parts of its message. What is left waits for something left. So the function f that maps each of them to the
// first one left that it waits for leads into a cycle: f applied 32 times, by squaring it 5 times, ends on it. From
// there 32 steps go round once at least, and stop at the first clique that comes again.
const (
	messageStart   = `'startsAfter has a cycle, in which each clique waits for the next: %s'.format([`
	messageWaits   = `.map(r, r.transformMap(n, a, a.filter(s, s in r)[0])).map(f, [f]`
	messageSquares = 5
	messageSquare  = `.map(h, h.transformMap(n, m, h[m]))`
	messageOnCycle = `.map(h, [h[self.cliques.filter(c, c.name in h)[0].name]])`
	messageSteps   = 32
	messageStep    = `.map(w, w.size() > 1 && w[w.size() - 1] in {w[0]: 0} ? w : w + [f[w[w.size() - 1]]])`
	messageEnd     = `[0])[0]])`
)

// TestCycleRule rebuilds the rule, which is too long to be read where it stands.
func TestCycleRule(t *testing.T) {
	left := cycleStart + strings.Repeat(cycleRound, cycleRounds)
	wantRule := left + cycleEnd
	wantMessage := messageStart + left + messageWaits + strings.Repeat(messageSquare, messageSquares) + messageOnCycle +
		strings.Repeat(messageStep, messageSteps) + messageEnd
	for _, rule := range newAdmission(t)["PodCliqueSet"].structural.Properties["spec"].Properties["template"].XValidations {
		if !strings.HasPrefix(rule.Rule, cycleStart) {
			continue
		}
		if diff := cmp.Diff(wantRule, rule.Rule); diff != "" {
			t.Errorf("rule: -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(wantMessage, rule.MessageExpression); diff != "" {
			t.Errorf("message: -want +got:\n%s", diff)
		}
		return
	}
	t.Error("no rule begins with ", cycleStart)
}

// cliques are names and what each starts after.
type cliques struct {
	names       []string
	startsAfter map[string][]string
}

func (c cliques) object() map[string]any {
	list := make([]any, len(c.names))
	for i, name := range c.names {
		spec := map[string]any{"podSpec": map[string]any{"containers": []any{map[string]any{"name": "main"}}}}
		if after := c.startsAfter[name]; after != nil {
			spec["startsAfter"] = anys(after)
		}
		list[i] = map[string]any{"name": name, "spec": spec}
	}
	return podCliqueSet("t", list)
}

// cyclic is the plain check: whether following startsAfter comes back to a clique that is still being followed.
func (c cliques) cyclic() bool {
	const following, done = 1, 2
	state := map[string]int{}
	var follow func(name string) bool
	follow = func(name string) bool {
		if state[name] != 0 {
			return state[name] == following
		}
		state[name] = following
		found := slices.ContainsFunc(c.startsAfter[name], follow)
		state[name] = done
		return found
	}
	return slices.ContainsFunc(c.names, follow)
}

// isCycle tells whether the path goes along startsAfter, ends where it begins, and meets no other clique twice.
func (c cliques) isCycle(path []string) bool {
	if len(path) < 2 || path[0] != path[len(path)-1] {
		return false
	}
	seen := map[string]bool{}
	for i, name := range path[1:] {
		if seen[name] || !slices.Contains(c.startsAfter[path[i]], name) {
			return false
		}
		seen[name] = true
	}
	return true
}

// randomCliques are up to 32, with edges of a random density; a third of them has no cycle by construction.
func randomCliques(random *rand.Rand) cliques {
	n := 1 + random.IntN(32)
	c := cliques{names: make([]string, n), startsAfter: map[string][]string{}}
	for i := range c.names {
		c.names[i] = fmt.Sprintf("c%d%s", i, strings.Repeat("x", random.IntN(48)))
	}
	order := random.Perm(n)
	acyclic, density := random.IntN(3) == 0, min(1, math.Exp(4*random.Float64())/float64(2*n)) // 0.5 to 27 edges each
	for i, name := range c.names {
		for _, j := range random.Perm(n) {
			allowed := i != j && (!acyclic || order[j] < order[i])
			if allowed && random.Float64() < density {
				c.startsAfter[name] = append(c.startsAfter[name], c.names[j])
			}
		}
		if c.startsAfter[name] == nil && random.IntN(2) == 0 {
			c.startsAfter[name] = []string{}
		}
	}
	return c
}

// TestCycleRuleIsExact compares the rule with the plain check on random graphs, and requires its message to name a cycle.
func TestCycleRuleIsExact(t *testing.T) {
	admission := newAdmission(t)["PodCliqueSet"]
	random := seeded(t)
	const graphs = 300
	cycles, longest, costliest := 0, 0, int64(0)
	for range graphs {
		graph := randomCliques(random)
		path, cost := cycleFound(t, admission, graph)
		if graph.cyclic() != (path != nil) {
			t.Fatalf("cyclic: %t, but the rule finds %v in %v", graph.cyclic(), path, graph.startsAfter)
		}
		if path != nil && !graph.isCycle(path) {
			t.Fatalf("%v is no cycle in %v", path, graph.startsAfter)
		}
		if path != nil {
			cycles++
		}
		longest, costliest = max(longest, len(path)-1), max(costliest, cost)
	}
	t.Logf("%d of %d graphs have cycles, the longest named has %d cliques; the costliest object takes %d of %d",
		cycles, graphs, longest, costliest, celconfig.RuntimeCELCostBudget)
	if cycles < graphs/10 || cycles > graphs*9/10 {
		t.Errorf("%d of %d graphs have cycles: the test says little", cycles, graphs)
	}
}

// cycleFound is the cycle that the error names, nil if there is no error.
func cycleFound(t *testing.T, admission admission, graph cliques) (path []string, cost int64) {
	t.Helper()
	errs, cost := admission.validate(graph.object())
	if len(errs) == 0 {
		return nil, cost
	}
	_, list, found := strings.Cut(errs[0].Detail, "waits for the next: ")
	if len(errs) != 1 || !found {
		t.Fatalf("unexpected: %v", errs.ToAggregate())
	}
	if err := yaml.Unmarshal([]byte(list), &path); err != nil {
		t.Fatal(err)
	}
	return path, cost
}

// TestWorstGraphs runs the rules on the graphs that cost most, with the longest names, within the API server's budget.
func TestWorstGraphs(t *testing.T) {
	admission := newAdmission(t)["PodCliqueSet"]
	for name, waits := range map[string]func(i, j int) bool{
		"chain":              func(i, j int) bool { return j == i-1 },
		"chain backwards":    func(i, j int) bool { return j == i+1 },
		"dense":              func(i, j int) bool { return j < i },
		"dense backwards":    func(i, j int) bool { return j > i },
		"ring":               func(i, j int) bool { return j == (i+1)%32 },
		"ring and all after": func(i, j int) bool { return j == (i+1)%32 || j < i },
		"everyone":           func(i, j int) bool { return i != j },
	} {
		graph := cliques{startsAfter: map[string][]string{}}
		for i := range 32 {
			graph.names = append(graph.names, fmt.Sprintf("%s%02d", strings.Repeat("x", 49), i))
		}
		for i, from := range graph.names {
			for j, to := range graph.names {
				if waits(i, j) {
					graph.startsAfter[from] = append(graph.startsAfter[from], to)
				}
			}
		}
		path, cost := cycleFound(t, admission, graph)
		t.Logf("%8d of %d, cycle of %d: %s", cost, celconfig.RuntimeCELCostBudget, max(0, len(path)-1), name)
		if graph.cyclic() != graph.isCycle(path) {
			t.Errorf("%s: cyclic: %t, found %v", name, graph.cyclic(), path)
		}
		if cost > celconfig.PerCallLimit {
			t.Errorf("%s: all rules together cost %d, more than one alone may", name, cost)
		}
	}
}
