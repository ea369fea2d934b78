# Every target works on a machine that has rustup's stable Rust, a C compiler and make, and installs what is missing.
# What they do stands in .make, a script each.

.PHONY: help demo build install test quick check bench soak soak-sim mutants flakes brc

help:
	@echo 'make demo      running word counts out of a Wasm plugin, fed by a live socket; ends by itself'
	@echo 'make build     the binary, target/release/tidemill'
	@echo 'make install   the binary as PREFIX/bin/tidemill (~/.local), and completions for bash, zsh and fish'
	@echo 'make test      all tests'
	@echo 'make quick     the tests that take seconds'
	@echo 'make check     formatting, lints, house rules, dependencies'
	@echo 'make soak      kills the program 1,000 times (KILLS=n); takes long'
	@echo 'make soak-sim  simulates 10,000 runs with faults (SEEDS=n); takes long'
	@echo 'make mutants   puts 100 small mistakes into the product, and says which ones no test sees (COUNT=n SEED=n); takes long'
	@echo 'make flakes    runs all tests 100 times beside a busy build, and says what fails by chance (RUNS=n); takes long'
	@echo 'make bench     measures, and writes target/bench.json; bench brc: one billion rows alone'

demo:
	@.make/demo

build:
	@.make/build

install:
	@.make/install

test:
	@.make/test

quick:
	@.make/quick

check:
	@.make/check

# `make bench brc` measures that alone.
bench:
	@.make/bench $(filter brc,$(MAKECMDGOALS))

brc:
	@:

soak:
	@.make/soak

soak-sim:
	@.make/soak-sim

mutants:
	@.make/mutants

flakes:
	@.make/flakes
