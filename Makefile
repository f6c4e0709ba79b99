# `make test` and `make lint` are all that a contributor needs; CI runs `.ci/run`, which is both.

.PHONY: test lint fmt tools

# Everything, with a throw-away PostgreSQL. What is missing is installed first, or named.
# One test: make test ARGS=name
test: tools
	@scripts/postgres run scripts/test $(ARGS)

# Formatting, clippy, licences.
lint:
	@scripts/lint

fmt:
	@cargo fmt --all

# PostgreSQL, a browser and a font, through the system's package manager.
tools:
	@scripts/tools
