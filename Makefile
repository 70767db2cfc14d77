# `make demo` and `make test` prepare all they need on a fresh machine with Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := ci/constraints.txt

.PHONY: demo test check lint bench bench-service bench-local soak docs clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo   caption the sample pictures with the embedded captioner"
	@echo "make test   run the tests"
	@echo "make check  lint, types, import order"
	@echo "make bench  measure against other ways of doing it (minutes)"
	@echo "make bench-service  measure the service"
	@echo "make bench-local  measure local models against transformers' own pipeline (PHOTOS=folder for real ones)"
	@echo "make soak   the long tests: a hundred kills, a million files, an hour of requests (hours)"
	@echo "make docs   build the documentation"

# Two steps: what a user gets, and what the tests need on top (torch among it: 1 GB, or several where pip takes the
# build for GPUs). Each is redone when pyproject.toml changes.
$(VENV)/installed: pyproject.toml
	@echo "preparing $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/installed $(CONSTRAINTS)
	@echo "installing what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(CONSTRAINTS) --editable '.[heic,ocr,s3,local,quantize,openvino,serve,postgres,otel,test,docs,bench]'
	@# Its words are compared with ours; what it would bring along, such as torchvision, is not needed for that.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(CONSTRAINTS) --no-deps clip-interrogator
	@touch $@

demo: $(VENV)/installed
	@rm -rf demo
	@$(BIN)/python examples/make_pictures.py demo/pictures
	@echo '$$ cutline caption pictures'
	@cd demo && ../$(BIN)/cutline caption pictures

test: $(VENV)/installed-for-tests
	@scripts/system_packages.sh
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: lint
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/reference.py --check

bench: $(VENV)/installed-for-tests
	$(BIN)/python bench/run.py

bench-service: $(VENV)/installed-for-tests
	$(BIN)/python bench/service.py

bench-local: $(VENV)/installed-for-tests
	$(BIN)/python bench/local.py $(if $(PHOTOS),--photos $(PHOTOS))

soak: $(VENV)/installed-for-tests
	CUTLINE_SOAK=1 $(BIN)/python -m pytest -m soak --timeout 3600

docs: $(VENV)/installed-for-tests
	$(BIN)/python scripts/reference.py
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site demo .pytest_cache .mypy_cache .ruff_cache
