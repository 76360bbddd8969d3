#!/usr/bin/env bash
# Builds, then measures everything in one run: the server and what it is compared with, one after the other, in rounds.
set -euo pipefail
cd "$(dirname "$0")/.."
need=()
command -v wrk >/dev/null || need+=(wrk)
[ -d /usr/lib/postgresql ] || need+=(postgresql)
if [ ${#need[@]} -gt 0 ]; then
  sudo=$(command -v sudo || true)
  $sudo apt-get update -qq && $sudo apt-get install -y -qq "${need[@]}" >/dev/null
fi
dotnet build bench/Postern.Bench -c Release -v quiet -nologo
exec dotnet bench/Postern.Bench/bin/Release/net10.0/Postern.Bench.dll "$@"
