# The front door: `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help run trace test schema-test coverage bench conformance faults durability simulate image chart-tools cluster-test format install

# Every service in one process, its data in ./data, the sample shop in it.
SERVE = cargo run -- serve --data ./data --demo-shop

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## Build and serve the sample shop on 127.0.0.1:8080
	@scripts/install.sh run
	$(SERVE)

trace: ## Place an order and show its trace, in a Jaeger where scripts/jaeger.sh has built one
	@scripts/install.sh trace
	@scripts/trace.sh

test: ## Check everything that must hold before a change lands
	@scripts/test.sh

# PLANTED=1 takes something away from each service instead, and shows that it is noticed.
schema-test: ## Run the tests of the release before on the tables of today
	@scripts/install.sh test
	@scripts/previous-schema.sh

# MINIMUM is the share of lines, in percent, under which it fails.
coverage: ## Run the tests, and say by crate which share of its lines they run
	@scripts/install.sh coverage
	@scripts/coverage.sh

# ONLY=near,order measures some rows, ROUNDS and SECONDS how often and how long, LARGE how many products, PENDING tasks.
bench: ## Measure beside peers, in one run, and print the table of docs/performance.md
	@scripts/install.sh bench
	cargo build --release -p node -p bench -p store-testing
	target/release/store-testing --durable target/release/bench run $(BENCH)

BENCH = $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(LARGE),--large $(LARGE)) $(if $(PENDING),--pending $(PENDING))

conformance: ## Run the published suites of gRPC and Connect and count what holds
	@scripts/conformance.sh

# ONLY=killed,shop tries some of them, and leaves the page as it is.
faults: ## Kill, pause, cut off and restart processes under load, and write the table of docs/faults.md
	@scripts/install.sh test
	cargo test --quiet --workspace --no-run
	target/debug/store-testing target/debug/faults run $(if $(ONLY),--only $(ONLY),--page docs/faults.md)

# ONLY=postgres,disk tries some of them, and leaves the page as it is.
durability: ## Kill databases, Redis and services, fill a disk and turn clocks under load, and write docs/durability.md
	@scripts/install.sh test
	cargo test --quiet --workspace --no-run
	target/debug/store-testing --durable target/debug/faults durable $(if $(ONLY),--only $(ONLY),--page docs/durability.md)

# N histories from SEED on; PLANTED=1 plants one bug after another instead, and shows that each is found.
simulate: ## Run the mesh under faults that a seed fixes, and look for what was lost or done twice
	@scripts/install.sh test
	cargo test --quiet --workspace --no-run
	target/debug/simulator $(if $(PLANTED),planted,run --histories $(or $(N),1000) --seed $(or $(SEED),1))

# BINARY packs a program that is there; IMAGE and TAG name what is made.
image: ## Make an image without Docker, in target/images
	@scripts/image.sh

chart-tools: ## Build what the chart is checked with, where Go is
	@scripts/chart/tools.sh

# ON is the kind of cluster, k8s/kind or k8s/bare; the head of the script says what else there is to choose.
cluster-test: ## Install the chart in the cluster of KUBECONFIG, and restart everything under load
	@ON=$(or $(ON),k8s/kind) scripts/cluster-test.sh

format: ## Format the code and the contracts
	@scripts/install.sh test
	cargo fmt --all
	scripts/buf/node_modules/.bin/buf format proto --path proto/tradewind --write

install: ## Install what running and testing need
	@scripts/install.sh test

.PHONY: supply-tools release hooks

supply-tools: ## Build what licences and known weaknesses of crates are looked at with
	@scripts/install.sh supply

# TWICE=1 builds it again elsewhere and compares.
release: ## Build the binary of a release, the same bytes for the same commit, and its bill of materials
	@scripts/supply.sh
	@scripts/release.sh

hooks: ## Have git look at format and links before each commit
	git config core.hooksPath scripts/hooks
