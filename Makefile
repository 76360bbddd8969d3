# Everything that is done with this project, by name. Two of them are all that a newcomer needs: `make run` and `make test`.
DATA ?= data
URLS ?= http://127.0.0.1:7400
OUT ?= artifacts/publish
SEED ?= 1
MINUTES ?= 2
DATABASE ?= both
FAULTS ?=
PAUSE ?= 60

.PHONY: run test lint format bench chaos cluster soak measure publish deb tool docs clean

run: ## the server on the embedded database, for one's own machine
	@echo "Building. The first time it fetches its packages, which takes a minute or two; then the server says where it listens."
	@env -u DATABASE_URL -u POSTERN_DATABASE dotnet run --project src/Postern -c Release -- serve --dev --data $(abspath $(DATA)) --urls $(URLS)

test: ## everything; installs from Debian and npm what it needs
	bash test/run.sh

lint: ## style and analyzers, as the build enforces them
	dotnet build Postern.slnx -warnaserror
	dotnet tool restore
	dotnet csharpier check .

format: ## the code as `make lint` wants it
	dotnet tool restore
	dotnet csharpier format .

bench: ## starts the server and what it is compared with, prints the ratios
	bash bench/run.sh

chaos: ## everybody who uses the server, under faults: docs/reliability.md. SEED=n MINUTES=m DATABASE=sqlite|postgres|patroni FAULTS=A,B
	dotnet build test/Postern.Chaos -c Release -v quiet -nologo
	test/Postern.Chaos/bin/Release/net10.0/Postern.Chaos SEED=$(SEED) MINUTES=$(MINUTES) DATABASE=$(DATABASE) FAULTS=$(FAULTS) PAUSE=$(PAUSE)

cluster: ## two nodes on PostgreSQL under Patroni (apt-get install patroni etcd-server haproxy), whose machines die: two minutes
	dotnet build test/Postern.Acceptance -v quiet -nologo
	test/Postern.Acceptance/bin/Debug/net10.0/Postern.Acceptance -noColor -class "*ClusterTests"

soak: ## the same on three PostgreSQL under Patroni, whose primary is taken away. MINUTES=m SEED=n
	$(MAKE) chaos DATABASE=patroni SEED=$(SEED) MINUTES=$(MINUTES)

measure: ## how the code measures: docs/house.md
	dotnet run --project bench/Postern.House -c Release -v quiet

publish: ## one self-contained file, in artifacts/publish
	dotnet publish src/Postern -c Release -r linux-x64 --self-contained -p:PublishSingleFile=true -p:PublishReadyToRun=true -p:IncludeNativeLibrariesForSelfExtract=true -p:NuGetLockFilePath=obj/publish.lock.json -o $(OUT)

deb: ## a Debian package with a systemd unit, in artifacts
	bash packaging/deb.sh artifacts

tool: ## a package for `dotnet tool install`, in artifacts
	dotnet pack src/Postern -c Release -v quiet -nologo -o artifacts

docs: ## what is generated: the settings' table, the tables of doors and of reactions, the OpenAPI document
	dotnet build test/Postern.Contract -v quiet -nologo
	cd test/Postern.Contract && UPDATE_GOLDEN=1 ./bin/Debug/net10.0/Postern.Contract -noColor -class "*GoldenTests"

clean:
	rm -rf artifacts */*/bin */*/obj
