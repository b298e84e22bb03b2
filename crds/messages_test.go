package crds_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

const (
	ruleMark     = "rule:"
	fallbackMark = "fallback of rule:"
)

// markedRules are the rules of a kind, made recognizable: failing gives the mark of a rule for a message; speaking keeps
// messageExpressions, and it is their fallback that is marked.
type markedRules struct {
	kind              admission
	failing, speaking *cel.Validator
	unheard           map[string]bool // the rules with a messageExpression that nothing has broken yet
}

func newMarkedRules(kind admission) *markedRules {
	m := &markedRules{kind: kind, unheard: map[string]bool{}}
	failing, speaking := kind.structural.DeepCopy(), kind.structural.DeepCopy()
	visitRules(failing, "", func(rule *apiextensionsv1.ValidationRule, id string) {
		if rule.MessageExpression != "" {
			m.unheard[ruleMark+id] = true
		}
		rule.Message, rule.MessageExpression = ruleMark+id, ""
	})
	visitRules(speaking, "", func(rule *apiextensionsv1.ValidationRule, id string) {
		if rule.MessageExpression != "" {
			rule.Message = fallbackMark + id
		}
	})
	m.failing = cel.NewValidator(failing, true, celconfig.PerCallLimit)
	m.speaking = cel.NewValidator(speaking, true, celconfig.PerCallLimit)
	return m
}

// visitRules visits all rules, with what names them.
func visitRules(s *schema.Structural, path string, visit func(rule *apiextensionsv1.ValidationRule, id string)) {
	for i := range s.XValidations {
		visit(&s.XValidations[i], strings.TrimSpace(fmt.Sprintf("%s[%d] %.60s", path, i, s.XValidations[i].Rule)))
	}
	for name, property := range s.Properties {
		visitRules(&property, path+"."+name, visit) // its slice of rules is shared with what is in the map
	}
	if s.Items != nil {
		visitRules(s.Items, path+"[]", visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		visitRules(s.AdditionalProperties.Structural, path+"{}", visit)
	}
}

// check requires of each rule that the object breaks that its messageExpression has been used.
func (m *markedRules) check(t *testing.T, object, old map[string]any) {
	t.Helper()
	name, _, _ := unstructured.NestedString(object, "metadata", "name")
	if slices.ContainsFunc(m.kind.validateSchema(object), blocking) || name == "" {
		return // the API server looks at no rule
	}
	var before any // not a map: a nil map is an object without fields
	if old != nil {
		before = old
	}
	broken, _ := m.failing.Validate(context.Background(), nil, m.kind.structural, object, before, celconfig.RuntimeCELCostBudget)
	said, _ := m.speaking.Validate(context.Background(), nil, m.kind.structural, object, before, celconfig.RuntimeCELCostBudget)
	for _, err := range broken {
		if !strings.Contains(err.Detail, ruleMark) {
			t.Errorf("a rule could not be evaluated: %v\nobject: %v\nbefore: %v", err, object, old)
		}
		delete(m.unheard, err.Detail)
	}
	for _, err := range said {
		if strings.Contains(err.Detail, fallbackMark) {
			t.Errorf("without its message: %v\nobject: %v\nbefore: %v", err, object, old)
		}
	}
}

// mutator changes objects at random. What it puts in comes from other objects, from the same place in them, or is odd.
type mutator struct {
	random *rand.Rand
	seen   map[string]map[string][]any // values by the names of the field that they are in and of their own
}

var (
	oddNumbers = []int64{-1, 0, 1, 2, 3, 156, 157, 998, 999, 1000, 5000, 5001, 9999, 10000, 1<<31 - 1}
	oddTexts   = []string{"", "a", "a-0", "A", "é", "a b", `"`, "%s", "a\nb", strings.Repeat("x", 64), strings.Repeat("y", 400), "system-x"}
)

func (m *mutator) learn(parent string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if m.seen[parent] == nil {
				m.seen[parent] = map[string][]any{}
			}
			m.seen[parent][name] = append(m.seen[parent][name], field)
			m.learn(name, field)
		}
	case []any:
		for _, item := range value {
			m.learn(parent, item)
		}
	}
}

// mutate returns the value changed somewhere, most often deep inside.
func (m *mutator) mutate(parent string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		return m.mutateObject(parent, value)
	case []any:
		return m.mutateList(parent, value)
	case int64:
		return oddNumbers[m.random.IntN(len(oddNumbers))]
	case string:
		return oddTexts[m.random.IntN(len(oddTexts))]
	}
	return value
}

func (m *mutator) mutateObject(parent string, object map[string]any) any {
	known := slices.Sorted(maps.Keys(m.seen[parent]))
	if len(known) == 0 {
		return object
	}
	name := known[m.random.IntN(len(known))]
	field, has := object[name]
	switch {
	case has && m.random.IntN(8) == 0:
		delete(object, name)
	case has && m.random.IntN(4) > 0:
		object[name] = m.mutate(name, field)
	default:
		values := m.seen[parent][name]
		object[name] = runtime.DeepCopyJSONValue(values[m.random.IntN(len(values))])
	}
	return object
}

func (m *mutator) mutateList(parent string, list []any) any {
	if len(list) == 0 {
		return list
	}
	i := m.random.IntN(len(list))
	switch m.random.IntN(8) {
	case 0:
		return slices.Delete(list, i, i+1)
	case 1:
		return append(list, runtime.DeepCopyJSONValue(list[i]))
	case 2:
		m.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	case 3:
		return []any{}
	}
	list[i] = m.mutate(parent, list[i])
	return list
}

// TestMessages breaks every rule that has a messageExpression, by the examples and by changing them at random. The API server
// gives the rule's text, or nothing of use, where such an expression fails or is empty.
func TestMessages(t *testing.T) {
	const mutations = 200
	m := &mutator{seeded(t), map[string]map[string][]any{}}
	rules, objects := map[string]*markedRules{}, map[string][]map[string]any{}
	for kind, admission := range newAdmission(t) {
		rules[kind] = newMarkedRules(admission)
	}
	for _, dir := range []string{"valid", "invalid"} {
		for _, example := range examples(t, dir) {
			var old map[string]any
			for _, state := range parse(t, example.documents) {
				kind := state["kind"].(string)
				m.learn(kind, runtime.DeepCopyJSON(state))
				objects[kind] = append(objects[kind], state)
				rules[kind].check(t, state, old)
				old = state
			}
		}
	}
	for kind, known := range objects {
		pick := func() map[string]any { return runtime.DeepCopyJSON(known[m.random.IntN(len(known))]) }
		for i := range mutations * len(known) / len(objects["PodCliqueSet"]) {
			object := pick()
			old := runtime.DeepCopyJSON(object)
			for range 1 + m.random.IntN(6) {
				m.mutate("spec", object["spec"])
			}
			if i%2 == 0 {
				old = nil
			}
			rules[kind].check(t, object, old)
			if t.Failed() {
				return
			}
		}
	}
	for _, marked := range rules {
		for rule := range marked.unheard {
			t.Errorf("nothing breaks %s: an example is missing", rule)
		}
	}
}
