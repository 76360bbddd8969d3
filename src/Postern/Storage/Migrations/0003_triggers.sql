-- Triggers, what came in through them, and what became of it.

CREATE TABLE agent_trigger (
  project text NOT NULL, kind text NOT NULL, owner text NOT NULL, id text NOT NULL,
  uid text NOT NULL, agent text NOT NULL, settings text, template text NOT NULL, active bigint NOT NULL, mode text NOT NULL,
  cron text, zone text, session_mode text NOT NULL, session_key text,
  auth_scheme text, auth_header text, auth_sealed {bytes}, filter text, methods text,
  max_in_flight bigint NOT NULL, deadline_seconds bigint, rate_limit bigint,
  in_flight bigint NOT NULL, received bigint NOT NULL, last_at bigint, next_at bigint, due_at bigint,
  created_at bigint NOT NULL, updated_at bigint NOT NULL,
  PRIMARY KEY (project, kind, owner, id)
);
CREATE UNIQUE INDEX agent_trigger_uid ON agent_trigger (project, uid);
CREATE INDEX agent_trigger_due ON agent_trigger (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE capture (
  project text NOT NULL, id text NOT NULL, trigger_uid text NOT NULL, at bigint NOT NULL,
  source text NOT NULL, method text, path text, query text, headers text, body {bytes}, content_type text, source_ip text, scheduled_at bigint,
  status text NOT NULL, reason text, error text, session text, in_seq bigint, run text, started_at bigint, ended_at bigint,
  PRIMARY KEY (project, id)
) {rowless};
CREATE INDEX capture_listed ON capture (project, trigger_uid, at, id);
CREATE INDEX capture_session ON capture (project, session, in_seq) WHERE ended_at IS NULL AND session IS NOT NULL;

-- Deliveries that were taken, by what their provider calls them, so that a repeat does nothing.
CREATE TABLE capture_key (
  project text NOT NULL, trigger_uid text NOT NULL, digest {bytes} NOT NULL, capture text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (project, trigger_uid, digest)
) {rowless};
CREATE INDEX capture_key_at ON capture_key (at);
