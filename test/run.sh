#!/usr/bin/env bash
# Everything: installs what the tests need, builds, runs every test project, and closes with "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."

need=()
[ -d /usr/lib/postgresql ] || need+=(postgresql)
command -v node >/dev/null || need+=(nodejs)
command -v npm >/dev/null || need+=(npm)
command -v curl >/dev/null || need+=(curl)
command -v chromium >/dev/null || need+=(chromium)
command -v pgbouncer >/dev/null || need+=(pgbouncer)
command -v systemd-analyze >/dev/null || need+=(systemd)
[ -x /usr/sbin/nginx ] || need+=(nginx)
[ -x /usr/sbin/haproxy ] || need+=(haproxy)
[ -x /usr/bin/tinyproxy ] || need+=(tinyproxy)
command -v ip >/dev/null && command -v ss >/dev/null || need+=(iproute2)
if [ ${#need[@]} -gt 0 ]; then
  sudo=$([ "$(id -u)" = 0 ] || command -v sudo)
  $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${need[@]}" >/dev/null || {
    echo "could not install: ${need[*]}"
    exit 1
  }
fi
for folder in test/Postern.Acceptance/clients samples/ApprovalAgent; do
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error) || {
    echo "could not install the npm clients"
    exit 1
  }
done
dotnet build Postern.slnx -v quiet -nologo || { echo "0 passed, 1 failed"; exit 1; }

passed=0
failed=0
for project in Postern.Tests Postern.Contract Postern.Acceptance; do
  echo "== $project"
  log=$(mktemp)
  # More than there are cores: most tests wait for something most of the time.
  DOTNET_TieredPGO=0 timeout 900 "test/$project/bin/Debug/net10.0/$project" -noColor -maxThreads 4 \
    -trait- "Cost=high" 2>&1 | tee "$log"
  line=$(grep -E "^ +$project +Total: " "$log" | tail -n 1)
  if [ -z "$line" ]; then
    failed=$((failed + 1)) # It did not come to its end.
  else
    total=$(sed -E 's/.*Total: ([0-9]+).*/\1/' <<<"$line")
    bad=$(sed -E 's/.*Errors: ([0-9]+), Failed: ([0-9]+).*/\1 + \2/' <<<"$line")
    skipped=$(sed -E 's/.*Skipped: ([0-9]+).*/\1/' <<<"$line")
    failed=$((failed + bad + skipped))
    passed=$((passed + total - (bad) - skipped))
  fi
  rm -f "$log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
