# make demo   set up the live decoder alone (no torch) and run the main job
# make test   set up everything and run all checks
# make bench  latency, throughput and drawing, beside alternatives
PYTHON ?= python3
LIVE   := .venv-live
DEV    := .venv
PYCTC  := .venv-pyctc

.PHONY: demo test tensorrt bench clean

demo:
	@start=$$(date +%s.%N); \
	$(MAKE) --no-print-directory $(LIVE)/done && \
	echo "installed: $$(du -sm $(LIVE) | cut -f1) MB, no torch" >&2 && \
	$(LIVE)/bin/rtdecode demo --since $$start $(ARGS)

# Not editable and without extras: what a user of the live decoder gets.
$(LIVE)/done: pyproject.toml hatch_build.py $(wildcard rtdecode/*.[ch]) $(shell find rtdecode -name '*.py' -o -name '*.tcss')
	@echo "setting up the live decoder in $(LIVE)" >&2
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rtdecode needs Python 3.11 or newer with venv: set PYTHON=python3.12, say" >&2; exit 2; }
	@test -x $(LIVE)/bin/python || $(PYTHON) -m venv $(LIVE)
	@$(LIVE)/bin/python -m pip install --quiet --disable-pip-version-check .
	@touch $@

test: $(DEV)/done $(PYCTC)/done
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports
	@export RTDECODE_PYCTC="$${RTDECODE_PYCTC-$$(cat $(PYCTC)/done)}" OMP_NUM_THREADS=1 \
		HYPOTHESIS_PROFILE="$${HYPOTHESIS_PROFILE-repeatable}"; \
	$(DEV)/bin/pytest -n 3 --dist loadfile $(ARGS)
	@echo "all checks passed"

# torch first and pinned: where the index has a CPU build of this version, it is the one taken.
$(DEV)/done: pyproject.toml hatch_build.py $(wildcard rtdecode/*.[ch])
	@echo "setting up everything in $(DEV)" >&2
	@test -x $(DEV)/bin/python || $(PYTHON) -m venv $(DEV)
	@$(DEV)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(DEV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# pyctcdecode wants numpy < 2, so its tests run it in a Python of its own. `done` holds that Python's path, or
# nothing where there is no wheel of such a numpy; kenlm is compiled, and left out where that fails. Both are said.
$(PYCTC)/done: Makefile
	@echo "setting up pyctcdecode in $(PYCTC)" >&2
	@test -x $(PYCTC)/bin/python || $(PYTHON) -m venv $(PYCTC)
	@pip="$(PYCTC)/bin/python -m pip install --quiet --disable-pip-version-check"; \
	if $$pip --only-binary numpy 'numpy<2' pyctcdecode==0.5.0; then \
		$$pip kenlm==0.3.0 >$(PYCTC)/kenlm.log 2>&1 || \
			echo "kenlm does not build here ($(PYCTC)/kenlm.log): its tests are skipped" >&2; \
		echo "$(CURDIR)/$(PYCTC)/bin/python" >$@; \
	else \
		echo "pyctcdecode cannot be installed here: its tests are skipped" >&2; : >$@; \
	fi

# Engines built by TensorRT-RTX without a GPU, in a Python of their own; `make test` builds them where that is there.
tensorrt: $(DEV)/done
	.ci/tensorrt-env .venv-trt
	RTDECODE_TRT=.venv-trt/bin/python $(DEV)/bin/pytest tests/tensorrt $(ARGS)

# Ratios beside the alternatives, in one run; not a test. mne-lsl is compared with when it is installed.
bench: $(DEV)/done
	$(DEV)/bin/rtdecode bench $(ARGS)
	$(DEV)/bin/python benchmarks/screen.py

clean:
	rm -rf $(LIVE) $(DEV) $(PYCTC) .venv-trt
