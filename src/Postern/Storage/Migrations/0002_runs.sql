-- Runs of any workflow, their timelines, and everything that leaves the server.

CREATE TABLE workflow (
  project text NOT NULL, name text NOT NULL, version bigint NOT NULL,
  definition text NOT NULL, created_at bigint NOT NULL,
  PRIMARY KEY (project, name, version)
);

-- What of a run is large, or seldom read, has a row of its own: a change of state rewrites the run's row.
CREATE TABLE run_data (
  project text NOT NULL, run text NOT NULL, name text NOT NULL, body {bytes} NOT NULL,
  PRIMARY KEY (project, run, name)
) {rowless};
INSERT INTO run_data (project, run, name, body) SELECT project, id, 'input', input FROM run WHERE input IS NOT NULL;
ALTER TABLE run DROP COLUMN input;

ALTER TABLE run ADD COLUMN workflow_version bigint NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN phase text NOT NULL DEFAULT 'queued';
UPDATE run SET phase = status WHERE {rows of run};
ALTER TABLE run ADD COLUMN event_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN marker bigint;
ALTER TABLE run ADD COLUMN attempt_at bigint NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN failure_code text;
ALTER TABLE run ADD COLUMN failure_message text;
ALTER TABLE run ADD COLUMN failed_stage text;
ALTER TABLE run ADD COLUMN progress_millionths bigint;
ALTER TABLE run ADD COLUMN tags text NOT NULL DEFAULT '[]';
ALTER TABLE run ADD COLUMN metadata text;
ALTER TABLE run ADD COLUMN callback_url text;
ALTER TABLE run ADD COLUMN callback_sealed {bytes};
ALTER TABLE run ADD COLUMN callback_outcome text;
ALTER TABLE run ADD COLUMN queued_seconds bigint NOT NULL DEFAULT 3600;
ALTER TABLE run ADD COLUMN silent_seconds bigint NOT NULL DEFAULT 900;
ALTER TABLE run ADD COLUMN total_seconds bigint NOT NULL DEFAULT 86400;
ALTER TABLE run ADD COLUMN total_at bigint NOT NULL DEFAULT 0;
UPDATE run SET total_at = created_at + 86400000000 WHERE {rows of run};
ALTER TABLE run ADD COLUMN state_until bigint;
ALTER TABLE run ADD COLUMN profile text;
ALTER TABLE run ADD COLUMN paused_from text;
ALTER TABLE run ADD COLUMN trigger_key text;
ALTER TABLE run ADD COLUMN claim_at bigint;
ALTER TABLE run ADD COLUMN claim_until bigint;
ALTER TABLE run ADD COLUMN claim_seconds bigint NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN leases_lost bigint NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN dispatched bigint NOT NULL DEFAULT 0;
CREATE INDEX run_created ON run (project, created_at, id);
DROP INDEX run_session;
CREATE INDEX run_session ON run (project, session, created_at, id);
CREATE INDEX run_workflow ON run (project, workflow, workflow_version);
CREATE INDEX run_claim ON run (project, agent, claim_at) WHERE claim_at IS NOT NULL;
CREATE INDEX run_claimed ON run (claim_until) WHERE claim_until IS NOT NULL;
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;

-- The attempt of the run that has the session: an earlier attempt can no longer write to it.
ALTER TABLE session ADD COLUMN current_attempt bigint NOT NULL DEFAULT 1;

-- A run's timeline. Accepted reports under an id of their own are the ledger of repeats.
CREATE TABLE run_event (
  project text NOT NULL, run text NOT NULL, seq bigint NOT NULL,
  at bigint NOT NULL, type text NOT NULL, attempt bigint NOT NULL, actor text NOT NULL, credential text NOT NULL,
  from_status text, to_status text, event_id text, correlation_id text, occurred_at bigint,
  accepted bigint NOT NULL, code text, detail text, digest {bytes},
  PRIMARY KEY (project, run, seq)
) {rowless};
CREATE UNIQUE INDEX run_event_ledger ON run_event (project, run, event_id) WHERE event_id IS NOT NULL AND accepted = 1;

-- How an attempt ended that a later one followed.
CREATE TABLE run_attempt (
  project text NOT NULL, run text NOT NULL, attempt bigint NOT NULL,
  status text NOT NULL, phase text NOT NULL, reason text, failure_code text, failure_message text, failed_stage text,
  began_at bigint NOT NULL, ended_at bigint NOT NULL,
  PRIMARY KEY (project, run, attempt)
);

-- Requests that a caller may repeat, by the name it gave them, and the first answer.
CREATE TABLE run_request (
  project text NOT NULL, name text NOT NULL,
  run text NOT NULL, digest {bytes} NOT NULL, answer {bytes} NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (project, name)
);
CREATE INDEX run_request_run ON run_request (project, run);

CREATE TABLE callback_secret (
  project text NOT NULL, id text NOT NULL,
  digest {bytes} NOT NULL, created_by text NOT NULL, created_at bigint NOT NULL, revoked_at bigint, changed bigint NOT NULL,
  PRIMARY KEY (project, id)
);
CREATE UNIQUE INDEX callback_secret_live ON callback_secret (digest) WHERE revoked_at IS NULL;
CREATE INDEX callback_secret_changed ON callback_secret (changed);

CREATE TABLE callback_token_secret (
  project text NOT NULL, number bigint NOT NULL,
  sealed {bytes} NOT NULL, created_at bigint NOT NULL, retired_at bigint, changed bigint NOT NULL,
  PRIMARY KEY (project, number)
);

-- What happened, for those who list it and those who have subscribed.
CREATE TABLE event (
  project text NOT NULL, id text NOT NULL,
  at bigint NOT NULL, type text NOT NULL, subject text NOT NULL, body {bytes} NOT NULL,
  PRIMARY KEY (project, id)
) {rowless};
CREATE INDEX event_at ON event (at);

CREATE TABLE webhook_endpoint (
  project text NOT NULL, id text NOT NULL,
  url text NOT NULL, events text NOT NULL, sealed_secret {bytes} NOT NULL, previous_sealed {bytes}, previous_until bigint,
  rate_limit bigint, ordered bigint NOT NULL, enabled bigint NOT NULL, disabled_reason text, failing_since bigint,
  created_at bigint NOT NULL, updated_at bigint NOT NULL,
  PRIMARY KEY (project, id)
);

-- One outbound request that must arrive. due_at is set on the first of its chain (endpoint and subject) alone; while a node
-- holds the delivery it is when its lease runs out.
CREATE TABLE delivery (
  project text NOT NULL, id text NOT NULL,
  purpose text NOT NULL, endpoint text NOT NULL, subject text NOT NULL, type text NOT NULL, detail text, body {bytes},
  status text NOT NULL, reason text, ordered bigint NOT NULL, place bigint NOT NULL,
  created_at bigint NOT NULL, due_at bigint, leased_at bigint, lease_no bigint NOT NULL, give_up_at bigint NOT NULL,
  attempts bigint NOT NULL, tries bigint NOT NULL, ended_at bigint,
  PRIMARY KEY (project, id)
);
CREATE INDEX delivery_due ON delivery (project, endpoint, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_chain ON delivery (project, endpoint, subject, place) WHERE status = 'pending';
CREATE INDEX delivery_give_up ON delivery (give_up_at) WHERE status = 'pending';
CREATE INDEX delivery_listed ON delivery (project, status, id);
CREATE INDEX delivery_subject ON delivery (project, subject, id);
CREATE INDEX delivery_ended ON delivery (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE delivery_attempt (
  project text NOT NULL, delivery text NOT NULL, number bigint NOT NULL,
  at bigint NOT NULL, duration_ms bigint NOT NULL, status bigint, category text NOT NULL, response text,
  PRIMARY KEY (project, delivery, number)
) {rowless};
