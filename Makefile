# The few commands a person needs. Everything else is `gaoling --help`.
GAOLING := .venv/bin/gaoling
.DEFAULT_GOAL := help
.PHONY: help setup toolchain demo test check bench down

help:  ## list these commands
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@tools/setup

toolchain: setup
	@.venv/bin/python -m gaoling.cloud.toolchain ensure

demo: setup  ## set up this machine and run the main job on the embedded lab (root; leaves the lab running)
	@$(GAOLING) demo

test: toolchain  ## every test; uses a running lab, else starts one and stops it again (root)
	@.venv/bin/python -m tests.packages
	@tools/check --static
	@.venv/bin/pytest -q -n 4 --durations=40 --durations-min=5

check: setup  ## everything that needs no lab: lint, types, arrows, unit tests, rules
	@.venv/bin/python -m tests.packages
	@tools/check

bench: toolchain  ## measure speed against peers and floors in the same run (needs the lab)
	@tools/setup --group bench
	@.venv/bin/python -m tests.bench

down: setup  ## stop the lab; leaves no process, namespace, interface, mount or file of its own
	@$(GAOLING) lab down
