# Builds, tests and shows olympus-pgbackup. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help

# Nothing that a target starts outlives it: no build servers, no reused MSBuild nodes.
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1
export MSBUILDDISABLENODEREUSE := 1
export UseSharedCompilation ?= false

PREFIX   ?= /usr/local
RID      ?= linux-$(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x64)
SOLUTION := olympus-pgbackup.slnx
BINARY   := artifacts/publish/olympus-pgbackup
RESULTS  := artifacts/test-results
QUIET    := -v:quiet -nologo
TESTS    := PgBackup.Tests PgBackup.IntegrationTests
SOURCES  := $(shell find src tests/fixtures -type f -not -path '*/bin/*' -not -path '*/obj/*' -not -name packages.lock.json) \
            $(wildcard Directory.*.props Directory.*.targets global.json nuget.config)

# For recipes that run containers: sets $$image, and what podman needs here.
with_podman = image=$$(eng/postgres-image.sh); env=$$(eng/podman-env.sh "$$image"); eval "$$env"

.PHONY: help demo check test coverage mutants soak soak-serve build publish install format-check bench clean

help:
	@cat <<-'END'
	make demo          a whole night and a restore drill, on a scratch cluster with sample data
	make test          all tests, against real Postgres, gpg, age, rclone and S3
	make check         formatting, analyzers, the rules of the house and the fast unit tests: before each commit
	make coverage      the unit tests, and how many lines of each room they run: docs/testing.md
	make mutants       the pure rooms changed in hundreds of places: which changes does no test notice? [ROOM=name]: docs/testing.md
	make soak          faults put to the published binary, and judged [SEED=n] [SECONDS=n] [FAULTS=n] [ONLY=n] [KIND=name]: docs/testing.md
	make soak-serve    two services, a run every minute: none missed, none doubled, memory flat [SECONDS=n, default an hour]
	make build         build everything
	make publish       one executable of native code: $(BINARY)
	make install       publish, and copy it to $$(DESTDIR)$(PREFIX)/bin
	make format-check  fails if `dotnet csharpier format .` would change a file
	make bench         side by side with the bash loop, and with a restore drill by hand
	make clean         remove what was built
	publish, demo, test, coverage and soak first install what they need (eng/setup.sh).
	END

demo:
	@eng/setup.sh demo
	$(MAKE) --no-print-directory publish
	$(with_podman)
	$(BINARY) demo --image "$$image"

check: format-check
	dotnet build tests/PgBackup.Tests -c Release $(QUIET) -warnaserror
	dotnet test tests/PgBackup.Tests -c Release --no-build --nologo -v:quiet \
	  --filter "FullyQualifiedName!~Properties&FullyQualifiedName!~Storage&FullyQualifiedName!~Encryption&FullyQualifiedName!~CrashPoint&FullyQualifiedName!~Tools&FullyQualifiedName!~KeysVerbTests&FullyQualifiedName!~KeysOperationTests"

test:
	@eng/setup.sh test
	$(MAKE) --no-print-directory publish build
	$(with_podman)
	export OLYMPUS_PGBACKUP_TEST_IMAGE="$$image" OLYMPUS_PGBACKUP_BINARY="$(CURDIR)/$(BINARY)"
	rm -rf $(RESULTS)
	status=0
	mkdir -p $(RESULTS)
	run() {
	  env --default-signal=INT,HUP dotnet test tests/$$1 -c Release --no-build --nologo \
	    --results-directory $(RESULTS) --logger "trx;LogFileName=$$1.trx" \
	    --blame-hang-timeout 10m --blame-hang-dump-type none
	}
	# Side by side. What a shell puts into the background is deaf to SIGINT, with all that it starts; hence `env`: tests send one.
	run PgBackup.Tests >$(RESULTS)/PgBackup.Tests.log 2>&1 & fast=$$!
	trap 'kill $$fast 2>/dev/null || true' EXIT
	run PgBackup.IntegrationTests || status=1
	wait $$fast || status=1
	cat $(RESULTS)/PgBackup.Tests.log
	line=$$(eng/count-tests.sh $(TESTS:%=$(RESULTS)/%.trx)) || status=1
	echo "all tests: $$line"
	exit $$status

# A number to look at, and no bar to clear: only a test that fails makes it fail.
coverage:
	@eng/setup.sh test
	dotnet build tests/PgBackup.Tests -c Release $(QUIET) $(BUILD_FLAGS)
	rm -rf artifacts/coverage
	status=0
	dotnet test tests/PgBackup.Tests -c Release --no-build --nologo -v:quiet \
	  --settings eng/coverage.runsettings --collect "Code Coverage" --results-directory artifacts/coverage || status=$$?
	eng/coverage.sh artifacts/coverage
	exit $$status

mutants:
	@eng/mutants.sh $(ROOM)

soak:
	@eng/setup.sh test
	$(MAKE) --no-print-directory publish
	dotnet build tests/PgBackup.Soak -c Release $(QUIET) $(BUILD_FLAGS)
	$(with_podman)
	export OLYMPUS_PGBACKUP_TEST_IMAGE="$$image" OLYMPUS_PGBACKUP_BINARY="$(CURDIR)/$(BINARY)"
	# As for the tests: some faults are a SIGINT, to which what a shell put into the background is deaf.
	env --default-signal=INT,HUP tests/PgBackup.Soak/bin/Release/net10.0/PgBackup.Soak \
	  seed=$(SEED) seconds=$(SECONDS) faults=$(FAULTS) only=$(ONLY) workers=$(WORKERS) kind="$(KIND)"

soak-serve:
	@eng/setup.sh test
	$(MAKE) --no-print-directory publish
	$(with_podman)
	export OLYMPUS_PGBACKUP_TEST_IMAGE="$$image" OLYMPUS_PGBACKUP_BINARY="$(CURDIR)/$(BINARY)"
	eng/soak-serve.sh $(SECONDS)

build:
	@dotnet msbuild $(SOLUTION) -restore -m -p:Configuration=Release $(QUIET) $(BUILD_FLAGS)

publish: $(BINARY)
	@:

# What is published (one file of native code) stands in the project file: given here, it would reach the library too, and publish and
# build would undo each other's restore. Debian's C compiler links it, and nothing of it is needed where the file runs.
$(BINARY): $(SOURCES)
	@eng/setup.sh publish
	dotnet publish src/PgBackup.App -c Release -r $(RID) -o $(@D) $(QUIET) $(BUILD_FLAGS)
	touch $@

install: publish
	@install -D -m 0755 $(BINARY) "$(DESTDIR)$(PREFIX)/bin/olympus-pgbackup"

format-check:
	@dotnet tool restore >/dev/null
	dotnet csharpier check .

bench:
	@eng/setup.sh bench
	$(MAKE) --no-print-directory publish
	$(with_podman)
	export OLYMPUS_PGBACKUP_TEST_IMAGE="$$image" OLYMPUS_PGBACKUP_BINARY="$(CURDIR)/$(BINARY)"
	bench/run.sh
	bench/stores.sh
	bench/drill.sh
	bench/status.sh
	bench/notices.sh
	bench/pgbackrest.sh

clean:
	@rm -rf artifacts
	find src tests bench eng -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
