#!/bin/sh
# A server's bad night: agents that fail, hang and wait, endpoints that are down, wrong signatures, and a loop. It makes
# them on a server for trying things out (`make run`), so that the console has something to show and to put right.
#
#   export U=http://127.0.0.1:7400 KEY=pst_root_…     as the server printed them at its first start
#   sh samples/bad-night/bad-night.sh
#   LOOP=500 sh samples/bad-night/bad-night.sh        more of the loop (default 40)
#
# It needs curl and sed, and a server that may call loopback, as one with --dev may. All that it makes is named night-….
set -eu
: "${U:?Set U to the address of the server}" "${KEY:?Set KEY to a key of the project with all rights}"
LOOP=${LOOP:-40}

# call METHOD PATH [BODY]: asks the API, prints the answer, and stops when it is refused.
call() {
  method=$1 path=$2
  shift 2
  curl -sS --fail-with-body -X "$method" "$U$path" -H "Authorization: Bearer ${AS:-$KEY}" \
    -H 'Content-Type: application/json' --data-binary "${1:-}" || {
    echo "bad-night: $method $path was refused" >&2
    exit 1
  }
}

# field NAME: the first text of that name in the JSON that comes in.
field() { sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p" | head -n 1; }

# send PATH BODY SECRET: a webhook, as a provider sends it; prints the status.
send() {
  curl -s -o /dev/null -w '%{http_code}\n' "$U$1" -H "X-Night-Secret: $3" -H 'Content-Type: application/json' \
    --data-binary "$2"
}

# trigger NAME AGENT SESSION-MODE: a public URL that starts the agent.
trigger() {
  call POST "/api/triggers/org/night/$1" "{\"agent\":\"$2\",\"promptTemplate\":\"{{body.what}}\",\"sessionMode\":\"$3\",
    \"maxInFlight\":1000,\"webhookAuth\":{\"header\":\"X-Night-Secret\",\"secret\":\"an-open-sesame-of-the-night\"}}" \
    > /dev/null
}

echo "agents: one is down, one refuses our key, the others are fetched by workers"
call PUT /api/v1/agents/night-down '{"kind":"http","url":"http://127.0.0.1:9/agent"}' > /dev/null
call PUT /api/v1/agents/night-wrong-key "{\"kind\":\"http\",\"url\":\"$U/api/v1/keys\"}" > /dev/null
for agent in silent asks nobody busy loop; do
  call PUT "/api/v1/agents/night-$agent" '{"kind":"pull"}' > /dev/null
done

echo "subscribers: one is down, one answers 404"
call PUT /api/v1/webhook-endpoints/night-down '{"url":"http://127.0.0.1:9/hook","events":["run.*"]}' > /dev/null
call PUT /api/v1/webhook-endpoints/night-gone "{\"url\":\"$U/nowhere\",\"events\":[\"run.*\"]}" > /dev/null

echo "webhooks that are stuck, each for another reason"
for name in down wrong-key silent asks nobody; do
  trigger "$name" "night-$name" perRequest
  send "/inbound/org/night/$name" "{\"what\":\"an order that nobody ships ($name)\"}" an-open-sesame-of-the-night \
    > /dev/null
done
# Two for one conversation: the second waits behind the first.
trigger busy night-busy perTrigger
for what in first second; do
  send /inbound/org/night/busy "{\"what\":\"the $what\"}" an-open-sesame-of-the-night > /dev/null
done

echo "workers: one takes its work and is silent, one asks a person"
claim() { call POST "/api/v1/agents/night-$1/claim" '{"waitSeconds":10,"leaseSeconds":3600}'; }
claim silent > /dev/null
claim busy > /dev/null
work=$(claim asks)
run=$(printf '%s' "$work" | sed -n 's/.*"id":"\(run_[0-9a-z]*\)".*/\1/p' | head -n 1)
AS=$(printf '%s' "$work" | field token)
call POST "/api/v1/executions/$run/request-approval" \
  '{"title":"Drop the table orders_2019?","description":"Nobody has read it for a year."}' > /dev/null
AS=

echo "a provider whose secret is old: five requests with a wrong one"
i=0
while [ "$i" -lt 5 ]; do
  send /inbound/org/night/down '{"what":"signed with the old secret"}' "the old secret $i" > /dev/null
  i=$((i + 1))
done

echo "a loop: $LOOP requests, each of which starts a run"
trigger loop night-loop perRequest
i=0
while [ "$i" -lt "$LOOP" ]; do
  send /inbound/org/night/loop "{\"what\":\"again $i\"}" an-open-sesame-of-the-night > /dev/null
  i=$((i + 1))
done

echo "the night is made: open $U/console"
