# Everything here needs Go, git and make; the race detector in tests needs a C compiler and is left out where there is none.
# Kubernetes itself is built from Go modules, once, into $GROVE_CACHE (default: grove in the user's cache directory).

SHELL := /bin/bash
.DEFAULT_GOAL := help

RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
STATICCHECK := go tool -modfile=tools/go.mod staticcheck
GENERATED := apis crds charts docs/api-reference.md
HELM := go tool -modfile=tools/helm/go.mod helm

.PHONY: help
help: ## show this
	@echo "Usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

SAMPLE ?= distributed-training
SAMPLE_FILE = $(if $(wildcard $(SAMPLE)),$(SAMPLE),samples/$(SAMPLE).yaml)
# The flags are those of e2e/kubebuild: what the control plane, the operator and the demo share is compiled once.
FIRST_RUN := -trimpath -gcflags=all=-dwarf=false

.PHONY: demo
demo: control-plane ## start a local cluster with fake GPU nodes, run Grove on it and show SAMPLE coming up, a name in samples/ or a file (DEMO_ONESHOT=1: exit when ready)
	@[ -f "$(SAMPLE_FILE)" ] || { echo "There is no sample $(SAMPLE). There are: $(basename $(notdir $(wildcard samples/*.yaml)))"; exit 1; }
	@mkdir -p bin/demo && CGO_ENABLED=0 go build $(FIRST_RUN) -o bin/demo/ ./cmd/grove-operator ./e2e/cmd/demo
	@exec bin/demo/demo -operator bin/demo/grove-operator -sample=$(SAMPLE_FILE) $(if $(filter 1 true yes,$(DEMO_ONESHOT)),-oneshot)

.PHONY: build
build: ## build bin/grove-operator, bin/grove-initc and the kubectl plugin bin/kubectl-grove
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: test
test: control-plane ## run all tests: unit, admission, controllers and end to end, on local control planes
	go test $(RACE) -count=1 -timeout 30m ./... # the program under test is built by the tests, which their cache can't know

.PHONY: unit
unit: ## run the tests that need no control plane
	go test $(RACE) -short ./...

CHAOS_DURATION ?= 30m

.PHONY: chaos
chaos: control-plane ## scale, delete, edit, recreate, crash, lose and delay answers at random for CHAOS_DURATION (default 30m), and check where it ends; SEED repeats a run
	go test $(RACE) -count=1 -v -timeout 3h ./e2e/suites/chaos -chaos-duration=$(CHAOS_DURATION) $(if $(SEED),-seed=$(SEED))

FUZZ_TIME ?= 10m

.PHONY: fuzz
fuzz: ## try random sets and podSpecs against admission and the planners, each for FUZZ_TIME (default 10m)
	@for target in FuzzPlanner FuzzHash; do go test ./crds -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1s || exit 1; done # or a minute goes to each input that reaches something new

INTERRUPTED_UPDATES ?= 20

.PHONY: interrupted
interrupted: control-plane ## kill the operator at random points of INTERRUPTED_UPDATES updates (default 20), and check every state of the pods; SEED repeats a run
	go test $(RACE) -count=1 -v -timeout 3h ./e2e/suites/quiet -run '^TestUpdateInterrupted$$' -args -interrupted-updates=$(INTERRUPTED_UPDATES) $(if $(SEED),-seed=$(SEED))

.PHONY: bench
bench: build ## measure Grove beside a plain Deployment, with default client rate limits and with raised ones; fails on a missed target
	@go build -o bin/grove-bench ./e2e/cmd/bench
	@bin/grove-bench -check; stock=$$?; bin/grove-bench -check -raise-limits -parts large && exit $$stock

SIZES ?= 1000,3000,10000
SHAPES ?= set,sets,groups

.PHONY: bench-scale
bench-scale: build ## measure SIZES (default 1000,3000,10000) pods in SHAPES (default set,sets,groups) beside a Deployment and bare pods; fails on a missed target
	@go build -o bin/grove-bench ./e2e/cmd/bench
	@bin/grove-bench -check -raise-limits -parts scale -sizes $(SIZES) -shapes $(SHAPES)

BENCHSTAT := go tool -modfile=tools/go.mod benchstat
PLAN_BASELINE := controllers/plan/testdata/plan.bench
# Allocations are the same on every machine; all else that a benchmark says would make it another benchmark there.
PLAN_ALLOCATIONS = set -o pipefail; go test ./controllers/plan -run '^$$' -bench '^BenchmarkPlan$$' -benchtime 3x -count 6 -cpu 1 | \
	sed -n 's|^\(Benchmark[^[:space:]]*\)[[:space:]]*\([0-9]*\).*[[:space:]]\([0-9]* allocs/op\)$$|\1 \2 \3|p'

.PHONY: bench-plan
bench-plan: ## fail if planning allocates over 10 % more than when make plan-baseline was last run
	@mkdir -p bin
	@$(PLAN_ALLOCATIONS) > bin/plan.bench
	@$(BENCHSTAT) $(PLAN_BASELINE) bin/plan.bench
	@$(BENCHSTAT) -format csv $(PLAN_BASELINE) bin/plan.bench 2>/dev/null | awk -F, \
		'$$6 ~ /^\+/ && $$6 + 0 > 10 { print "allocates more: " $$1 ", " $$2 " before, " $$4 " now"; more = 1 } END { exit more }'

.PHONY: plan-baseline
plan-baseline: ## record what planning allocates, for make bench-plan
	@$(PLAN_ALLOCATIONS) > $(PLAN_BASELINE)

.PHONY: lint
lint: ## check formatting, go vet, staticcheck, what Prometheus and Grafana are given, and the Helm chart
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt needed:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	$(STATICCHECK) $$(go list ./... | grep -v /apis/client/) # which code-generator wrote
	cd tools/monitoring && go vet . && go test . # alerts, the dashboard, and what the documentation asks Prometheus, by its own parser
	cd tools/helm && go vet . && go test . # the chart, by Helm itself: helm lint, and whether it installs what deploy does

MODULE := grove.io/grove
POD_SPEC := k8s.io/api/core/v1.PodSpec@k8s.io/client-go/applyconfigurations/core/v1

.PHONY: generate
generate: ## generate deepcopy functions, apply configurations, CRDs, clients and docs/api-reference.md from the API types, and the Helm chart from CRDs and deploy
	go tool controller-gen object paths=./apis/grove/...
	rm -rf apis/applyconfiguration apis/client
	go tool controller-gen 'applyconfiguration:externalApplyConfigurations="$(POD_SPEC)"' paths=./apis/grove/...
	go tool controller-gen crd:generateEmbeddedObjectMeta=true paths=./apis/grove/... output:crd:dir=crds
	go run ./crds/internal/trim crds/grove.io_*.yaml
	go run ./charts/internal/generate
	go tool -modfile=tools/go.mod crd-ref-docs --source-path=apis/grove/v1alpha1 --config=tools/refdocs/config.yaml \
		--templates-dir=tools/refdocs --renderer=markdown --output-path=docs/api-reference.md --log-level=ERROR
	go tool client-gen --clientset-name versioned --go-header-file /dev/null \
		--input-base $(MODULE)/apis --input grove/v1alpha1 --apply-configuration-package $(MODULE)/apis/applyconfiguration \
		--output-pkg $(MODULE)/apis/client/clientset --output-dir apis/client/clientset
	go tool lister-gen --go-header-file /dev/null \
		--output-pkg $(MODULE)/apis/client/listers --output-dir apis/client/listers $(MODULE)/apis/grove/v1alpha1
	go tool informer-gen --go-header-file /dev/null \
		--versioned-clientset-package $(MODULE)/apis/client/clientset/versioned --listers-package $(MODULE)/apis/client/listers \
		--output-pkg $(MODULE)/apis/client/informers --output-dir apis/client/informers $(MODULE)/apis/grove/v1alpha1

.PHONY: verify-generated
verify-generated: ## fail if generated files are not what `make generate` makes
	@before=$$(mktemp -d) && trap 'rm -rf "$$before"' EXIT && cp -R --parents $(GENERATED) "$$before" && \
	$(MAKE) --no-print-directory generate && \
	for path in $(GENERATED); do \
		diff -r -q "$$before/$$path" "$$path" || { echo "generated files were stale: commit what make generate has made"; exit 1; }; \
	done

IMAGE ?= grove.io/grove:dev
STATIC := CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags="-s -w"
# The builder that every docker has. It keeps the age of files, which is therefore fixed: layers are the same whenever they are built.
DOCKER_BUILD := DOCKER_BUILDKIT=0 docker build --quiet

.PHONY: image
image: ## build the image IMAGE (default grove.io/grove:dev), from binaries built on this machine: nothing is pulled
	$(STATIC) -o bin/image/ ./cmd/grove-operator ./cmd/grove-initc
	touch --date=@0 bin/image bin/image/*
	$(DOCKER_BUILD) --target host --tag $(IMAGE) .

# What pods run in tests, once more as another image, which has two names; metrics-server; and the image under another name.
.PHONY: test-images
test-images: image
	$(STATIC) -o bin/workload/ ./e2e/workload
	$(DOCKER_BUILD) --file e2e/workload/Dockerfile --tag grove.io/workload:dev bin/workload
	cd e2e/metricsserver && $(STATIC) -o ../../bin/metrics-server/ sigs.k8s.io/metrics-server/cmd/metrics-server
	$(DOCKER_BUILD) --file e2e/metricsserver/Dockerfile --tag grove.io/metrics-server:dev bin/metrics-server
	$(DOCKER_BUILD) --file e2e/workload/Dockerfile --label version=next --tag grove.io/workload:next bin/workload
	docker tag grove.io/workload:next grove.io/workload:same
	docker tag $(IMAGE) grove.io/grove:next

.PHONY: release
release: ## render bin/install.yaml, which installs Grove with the image IMAGE
	@mkdir -p bin
	kubectl kustomize deploy | sed 's|image: grove.io/grove:dev$$|image: $(IMAGE)|' > bin/install.yaml

CHART_VERSION ?= 0.1.0-dev
TAG = $(lastword $(subst :, ,$(IMAGE)))

.PHONY: chart
chart: ## package the Helm chart as bin/grove-CHART_VERSION.tgz, which installs Grove with the image IMAGE
	@mkdir -p bin
	rm -rf bin/chart && cp -R charts/grove bin/chart
	sed 's|^  repository: .*|  repository: $(patsubst %:$(TAG),%,$(IMAGE))|' charts/grove/values.yaml > bin/chart/values.yaml
	$(HELM) package bin/chart --version $(CHART_VERSION) --app-version $(TAG) --destination bin

KIND_CLUSTER ?= grove

.PHONY: kind-up
kind-up: image ## create the kind cluster KIND_CLUSTER (default grove), with Grove and fake GPUs; KIND_NODE_IMAGE is the nodes' image
	go run ./e2e/cmd/kind -name $(KIND_CLUSTER) up

.PHONY: kind-down
kind-down: ## delete it
	go run ./e2e/cmd/kind -name $(KIND_CLUSTER) down

.PHONY: e2e-kind
e2e-kind: test-images ## run the tests that need real kubelets, on a kind cluster of their own
	@$(HELM) version > /dev/null # built before the clock runs
	go test -count=1 -timeout 40m ./e2e/suites/kind -provider=kind

.PHONY: control-plane
control-plane: ## build etcd, Kubernetes and kwok into the cache, unless they are there; what the PATH or KUBEBUILDER_ASSETS has is not built
	@CGO_ENABLED=0 go run $(FIRST_RUN) ./e2e/cmd/prepare

.PHONY: clean
clean: ## remove bin/
	rm -rf bin
