package crds_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// admission does with an object what the API server does, in its order, with its code.
type admission struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// newAdmission returns the admission of each kind.
func newAdmission(t testing.TB) map[string]admission {
	t.Helper()
	kinds := map[string]admission{}
	for _, crd := range internalCRDs(t) {
		structural, err := schema.NewStructural(rootSchema(crd))
		if err != nil {
			t.Fatal(err)
		}
		validator, _, err := validation.NewSchemaValidator(rootSchema(crd))
		if err != nil {
			t.Fatal(err)
		}
		kinds[crd.Spec.Names.Kind] = admission{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
	return kinds
}

// validate returns what is wrong with the last state of an object, and what its rules cost. Earlier states have to be valid.
func (a admission) validate(states ...map[string]any) (errs field.ErrorList, cost int64) {
	var old any // not a map: a nil map is an object without fields
	for _, state := range states {
		if len(errs) > 0 {
			return append(errs, field.InternalError(nil, fmt.Errorf("an earlier state is refused already"))), 0
		}
		errs = a.validateSchema(state)
		if !slices.ContainsFunc(errs, blocking) {
			broken, left := a.rules.Validate(context.Background(), nil, a.structural, state, old, celconfig.RuntimeCELCostBudget)
			errs, cost = append(errs, broken...), celconfig.RuntimeCELCostBudget-left
		}
		old = state
	}
	return errs, cost
}

// validateSchema sets defaults, and returns what is wrong before rules are looked at.
func (a admission) validateSchema(state map[string]any) field.ErrorList {
	defaulting.Default(state, a.structural)
	errs := validation.ValidateCustomResource(nil, state, a.schema)
	return append(errs, listtype.ValidateListSetsAndMaps(nil, a.structural, state)...)
}

// blocking tells whether the API server leaves rules unchecked after an error of the schema.
func blocking(err *field.Error) bool {
	switch err.Type {
	case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	default:
		return false
	}
}

func parse(t testing.TB, documents []string) []map[string]any {
	t.Helper()
	objects := make([]map[string]any, len(documents))
	for i, document := range documents {
		text, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &objects[i]); err != nil { // gives int64, where others give float64
			t.Fatal(err)
		}
	}
	return objects
}

// TestExamplesByLibrary finds the same with the API server's code as TestInvalidIsRefused with a running API server, and
// shows that each invalid example breaks one rule only.
func TestExamplesByLibrary(t *testing.T) {
	kinds := newAdmission(t)
	for _, dir := range []string{"valid", "invalid"} {
		for _, example := range examples(t, dir) {
			states := parse(t, example.documents)
			errs, cost := kinds[states[0]["kind"].(string)].validate(states...)
			t.Logf("%8d %s/%s", cost, dir, example.name)
			if dir == "valid" && len(errs) > 0 {
				t.Errorf("%s: %v", example.name, errs.ToAggregate())
			}
			if dir == "invalid" && len(errs) != 1 {
				t.Errorf("%s: want one error, got %v", example.name, errs.ToAggregate())
			}
		}
	}
}

func podCliqueSet(name string, cliques []any) map[string]any {
	return map[string]any{
		"apiVersion": "grove.io/v1alpha1", "kind": "PodCliqueSet", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"replicas": int64(1), "template": map[string]any{"cliques": cliques}},
	}
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// seeded prints the seed, which GROVE_TEST_SEED sets.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("GROVE_TEST_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("GROVE_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
