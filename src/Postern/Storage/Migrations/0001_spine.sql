-- Times are microseconds since 1970 in UTC. Flags are 0 or 1. Every key begins with the project.

CREATE TABLE project (
  id text NOT NULL PRIMARY KEY,
  name text NOT NULL UNIQUE,
  created_at bigint NOT NULL
);

CREATE TABLE api_key (
  project text NOT NULL, id text NOT NULL,
  kind text NOT NULL, name text NOT NULL, scopes text NOT NULL,
  salt {bytes} NOT NULL, digest {bytes} NOT NULL, sealed {bytes},
  previous_salt {bytes}, previous_digest {bytes}, previous_sealed {bytes}, previous_until bigint,
  created_by text NOT NULL, created_at bigint NOT NULL, expires_at bigint, last_used_at bigint, revoked_at bigint,
  changed bigint NOT NULL,
  PRIMARY KEY (project, id)
);
CREATE UNIQUE INDEX api_key_id ON api_key (id);
CREATE INDEX api_key_changed ON api_key (changed);

CREATE TABLE revocation (
  project text NOT NULL, kind text NOT NULL, value text NOT NULL,
  issued_before bigint, until bigint NOT NULL, changed bigint NOT NULL,
  PRIMARY KEY (project, kind, value)
);
CREATE INDEX revocation_changed ON revocation (changed);
CREATE INDEX revocation_until ON revocation (until);

CREATE TABLE used_token (
  project text NOT NULL, digest text NOT NULL, until bigint NOT NULL,
  PRIMARY KEY (project, digest)
);
CREATE INDEX used_token_until ON used_token (until);

CREATE TABLE audit (
  project text NOT NULL, id text NOT NULL,
  at bigint NOT NULL, action text NOT NULL, credential text, actor text, route text, address text, reason text,
  PRIMARY KEY (project, id)
);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE agent (
  project text NOT NULL, slug text NOT NULL,
  kind text NOT NULL, url text, sealed_secret {bytes}, settings text NOT NULL,
  created_at bigint NOT NULL, updated_at bigint NOT NULL,
  PRIMARY KEY (project, slug)
);

-- A session and the counters of its two channels and its transcript: locking this row settles every race about it.
CREATE TABLE session (
  project text NOT NULL, id text NOT NULL,
  external_id text, session_key text NOT NULL, type text NOT NULL, agent text NOT NULL,
  trigger_config text, tags text NOT NULL, metadata text,
  created_at bigint NOT NULL, updated_at bigint NOT NULL, expires_at bigint,
  closed_at bigint, closed_reason text,
  current_run text,
  in_next bigint NOT NULL, out_next bigint NOT NULL, message_next bigint NOT NULL,
  in_message_seq bigint NOT NULL, in_answered_seq bigint NOT NULL, stop_seq bigint NOT NULL,
  out_settled bigint NOT NULL, expiry_told bigint NOT NULL, run_wanted_until bigint,
  turn_deadline bigint, turn_seconds bigint NOT NULL, turn_in_seq bigint NOT NULL, turn_out_seq bigint NOT NULL,
  PRIMARY KEY (project, id)
);
CREATE UNIQUE INDEX session_external ON session (project, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX session_by_key ON session (project, session_key);
CREATE INDEX session_created ON session (project, created_at, id);
CREATE INDEX session_expiry ON session (expires_at) WHERE expires_at IS NOT NULL AND expiry_told = 0;
CREATE INDEX session_closed ON session (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX session_turn ON session (turn_deadline) WHERE turn_deadline IS NOT NULL;
CREATE INDEX session_turn_agent ON session (project, agent) WHERE turn_deadline IS NOT NULL;
CREATE INDEX session_wanted ON session (run_wanted_until) WHERE run_wanted_until IS NOT NULL;

CREATE TABLE record (
  project text NOT NULL, session text NOT NULL, channel text NOT NULL, seq bigint NOT NULL,
  at bigint NOT NULL, part_id text, body {bytes} NOT NULL, headers text,
  PRIMARY KEY (project, session, channel, seq)
) {rowless};
CREATE UNIQUE INDEX record_part ON record (project, session, channel, part_id) WHERE part_id IS NOT NULL;

CREATE TABLE message (
  project text NOT NULL, session text NOT NULL, seq bigint NOT NULL,
  id text NOT NULL, role text NOT NULL, content {bytes} NOT NULL, at bigint NOT NULL, run text, idempotency_key text,
  PRIMARY KEY (project, session, seq)
) {rowless};
CREATE UNIQUE INDEX message_idempotency ON message (project, session, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Where a person's command-line client stood in `out` when it last wrote to `in`: it keeps no cursor of its own.
CREATE TABLE participant (
  project text NOT NULL, session text NOT NULL, subject text NOT NULL, out_seq bigint NOT NULL,
  PRIMARY KEY (project, session, subject)
);

CREATE TABLE run (
  project text NOT NULL, id text NOT NULL,
  agent text NOT NULL, workflow text NOT NULL, session text,
  status text NOT NULL, reason text, attempt bigint NOT NULL,
  input {bytes}, boot_message bigint NOT NULL, continuation bigint NOT NULL, previous_run text,
  created_at bigint NOT NULL, started_at bigint, updated_at bigint NOT NULL, ended_at bigint, deadline_at bigint NOT NULL,
  due_at bigint, lease_until bigint NOT NULL, lease_no bigint NOT NULL, tries bigint NOT NULL,
  idle_seconds bigint NOT NULL, idle_until bigint,
  PRIMARY KEY (project, id)
);
CREATE INDEX run_session ON run (project, session, created_at);
CREATE INDEX run_agent_live ON run (project, agent) WHERE ended_at IS NULL;
CREATE INDEX run_due ON run (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX run_idle ON run (idle_until) WHERE idle_until IS NOT NULL;
CREATE INDEX run_deadline ON run (deadline_at) WHERE ended_at IS NULL;
