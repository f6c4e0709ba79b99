# `make test` and `make lint` are all that a contributor needs; CI runs `.ci/run`, which is both, `make instructions` and
# `make torture-short`.

.PHONY: test lint fmt tools torture torture-short torture-long instructions bench

# Everything, with a throw-away PostgreSQL. What is missing is installed first, or named.
# One test: make test ARGS=name
test: tools
	@scripts/postgres run scripts/test $(ARGS)

# Faults against real processes, and a checker: see docs/RELIABILITY.md. About two hours; the short form takes ten minutes
# and is what CI plays, the long one a day. One scenario: make torture ARGS=nodes; all options: make torture ARGS=--help
torture: tools
	@scripts/torture --form normal $(ARGS)
torture-short: tools
	@scripts/torture --form short $(ARGS)
torture-long: tools
	@scripts/torture --form long --record $(ARGS)

# The gateway beside what people use instead: see docs/BENCHMARKS.md, which it writes. About an hour; one part:
# make bench ARGS=accept; all options: make bench ARGS=--help
bench: tools
	@scripts/bench --record $(ARGS)

# What one message costs in instructions, held against what it cost before.
instructions: tools
	@scripts/instructions

# Formatting, clippy, licences.
lint:
	@scripts/lint

fmt:
	@cargo fmt --all

# PostgreSQL, a browser and a font, through the system's package manager.
tools:
	@scripts/tools
