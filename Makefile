# `make demo` and `make test` prepare all they need on a fresh machine with Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := ci/requirements.txt
EXTRAS := heic socks ocr s3 local quantize openvino serve studio analysis metrics nsfw language ray postgres otel test docs bench

# What `make test-newest` and `make test-lowest` run, and with what.
AT_BOTH_ENDS := $(wildcard tests/captioners/test_local_[!p]*.py) tests/captioners/test_local_parallel.py \
  tests/encoders tests/service/test_openai_face.py tests/service/test_client.py tests/service/test_queue.py
# And with the newest alone: what metrics, measures, checks and embeddings need, and the core's own HTTP clients.
AT_NEWEST := $(AT_BOTH_ENDS) tests/metrics tests/evaluation tests/measures tests/checks tests/dataset/test_embeddings.py \
  tests/captioners/test_openai_replies.py tests/captioners/test_openai_request.py tests/captioners/test_proxies.py
TOOLS := httpx hypothesis psutil pytest pytest-asyncio pytest-timeout pytest-xdist

.PHONY: demo test test-newest test-lowest check lint lock bench bench-versions bench-service bench-studio bench-local bench-embed bench-dedup bench-metrics bench-judge bench-ray soak docs screenshots clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo   caption the sample pictures with the embedded captioner"
	@echo "make test   run the tests"
	@echo "make test-newest  local models, metrics, measures, service and openai's client on the newest releases of what they need"
	@echo "make test-lowest  the same on the oldest releases that pyproject.toml allows (torch as a GPU build, 5 GB)"
	@echo "make check  lint, language, types, import order"
	@echo "make bench  measure against other ways of doing it (minutes)"
	@echo "make bench-versions  measure against another version of cutline (AGAINST=its checkout)"
	@echo "make bench-service  measure the service"
	@echo "make bench-studio  measure the studio on 100,000 pictures (ROWS=number for fewer)"
	@echo "make bench-local  measure local models against transformers' own pipeline (PHOTOS=folder for real ones)"
	@echo "make bench-dedup  measure duplicates and sharpness on the photos beside the project (PHOTOS=folder for others)"
	@echo "make bench-embed  measure embeddings against sentence-transformers (PHOTOS=folder for real ones)"
	@echo "make bench-judge  measure what both orders, and resampling pictures, are worth to judging"
	@echo "make bench-metrics  measure the metrics of captions against pycocoevalcap (needs Java)"
	@echo "make bench-ray  measure runs on a Ray cluster against Ray Data's HTTP processor and one process"
	@echo "make soak   the long tests: a hundred kills, a million files, an hour of requests (hours)"
	@echo "make docs   build the documentation"
	@echo "make screenshots  make the pictures of the documentation (needs Chromium)"

# What a user gets: the newest releases that pyproject.toml allows.
$(VENV)/installed: pyproject.toml
	@echo "preparing $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# What the tests run on: the locked packages and no others. torch comes apart (see ci/torch.txt): 1 GB, or several
# where pip takes the build for GPUs.
$(VENV)/installed-for-tests: pyproject.toml $(LOCK) ci/torch.txt
	@echo "installing what the tests need …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --no-deps --require-hashes --requirement $(LOCK)
	@$(PIP) --requirement ci/torch.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(VENV)/installed $@

# Renews the lock from pyproject.toml; uv keeps the versions that still fit, `make lock UPGRADE=--upgrade` does not.
# uv is one of the locked packages.
lock:
	@$(BIN)/uv pip compile pyproject.toml ci/comparisons.in --output-file $(LOCK) $(UPGRADE) \
	  $(foreach extra,$(EXTRAS),--extra $(extra)) --python-version 3.11 --generate-hashes --no-annotate --quiet \
	  --constraint ci/torch.txt --no-emit-package torch --excludes ci/excluded.txt --custom-compile-command "make lock"
	@{ echo "# Versions only, for images with other extras; made by \`make lock\`."; \
	  grep -ohE '^[A-Za-z0-9._-]+==[^ ;]+' $(LOCK) ci/torch.txt; } > ci/constraints.txt

demo: $(VENV)/installed
	@rm -rf demo
	@$(BIN)/python examples/make_pictures.py demo/pictures
	@echo '$$ $(BIN)/cutline caption demo/pictures demo/captions.jsonl'
	@$(BIN)/cutline caption demo/pictures demo/captions.jsonl
	@echo '. $(BIN)/activate makes $(BIN)/cutline the command cutline in this terminal'

test: $(VENV)/installed-for-tests
	@scripts/system_packages.sh
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --durations 40 --durations-min 8

# What a plain pip install brings today.
test-newest:
	@test -d .venv-newest || $(PYTHON) -m venv .venv-newest
	@.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade \
	  --upgrade-strategy eager --editable '.[local,serve,socks,analysis,metrics,nsfw,language]' openai cryptography $(TOOLS)
	.venv-newest/bin/python -m pytest --numprocesses auto --dist loadfile $(AT_NEWEST)

# The lower bounds of pyproject.toml; what those need in turn, and the tools, are the newest that fit.
# TORCH=torch==2.13.0 takes another torch, such as a build for the CPU in a folder of UV_FIND_LINKS.
test-lowest: .venv-lowest/installed
	.venv-lowest/bin/python -m pytest --numprocesses auto --dist loadfile $(AT_BOTH_ENDS)

.venv-lowest/installed: pyproject.toml
	@$(PYTHON) -m venv --clear .venv-lowest
	@.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	@.venv-lowest/bin/uv pip install --quiet --python .venv-lowest --resolution lowest-direct \
	  --editable '.[local,serve]' 'openai>=1.56' $(TORCH)
	@.venv-lowest/bin/uv pip install --quiet --python .venv-lowest $(TOOLS)
	@touch $@

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: lint
	$(BIN)/python scripts/check_environment.py
	$(BIN)/python scripts/check_language.py
	$(BIN)/python scripts/check_size.py
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/reference.py --check

bench: $(VENV)/installed-for-tests
	$(BIN)/python bench/run.py

# AGAINST: a checkout of the other version, as `git worktree add` makes one.
bench-versions: $(VENV)/installed-for-tests
	$(BIN)/python bench/versions.py $(AGAINST)

bench-service: $(VENV)/installed-for-tests
	$(BIN)/python bench/service.py

bench-studio: $(VENV)/installed-for-tests
	$(BIN)/python bench/studio.py $(if $(ROWS),--rows $(ROWS))
	$(BIN)/python bench/analysis.py $(if $(ROWS),--rows $(ROWS))

bench-local: $(VENV)/installed-for-tests
	$(BIN)/python bench/local.py $(if $(PHOTOS),--photos $(PHOTOS))

bench-dedup: $(VENV)/installed-for-tests
	$(BIN)/python bench/dedup.py $(if $(PHOTOS),--photos $(PHOTOS))

bench-embed: $(VENV)/installed-for-tests
	$(BIN)/python bench/embed.py $(if $(PHOTOS),--photos $(PHOTOS))

bench-judge: $(VENV)/installed-for-tests
	$(BIN)/python bench/judge.py

bench-metrics: $(VENV)/installed-for-tests
	$(BIN)/python bench/metrics.py $(if $(PICTURES),--pictures $(PICTURES))

bench-ray: $(VENV)/installed-for-tests
	$(BIN)/python bench/cluster.py

soak: $(VENV)/installed-for-tests
	CUTLINE_SOAK=1 $(BIN)/python -m pytest -m soak --timeout 3600

docs: $(VENV)/installed-for-tests
	$(BIN)/python scripts/reference.py
	$(BIN)/mkdocs build --strict

screenshots: $(VENV)/installed-for-tests
	$(BIN)/python scripts/screenshots.py
	$(BIN)/python scripts/filter_pictures.py

clean:
	rm -rf $(VENV) .venv-newest .venv-lowest build dist site demo .pytest_cache .mypy_cache .ruff_cache
