-- Questions that a run waits for a person to answer, each with its one decision, and who may bring decisions from outside.

CREATE TABLE approval (
  project text NOT NULL, id text NOT NULL,
  run text NOT NULL, round bigint NOT NULL, attempt bigint NOT NULL, agent text NOT NULL, session text,
  status text NOT NULL, service text NOT NULL, on_reject text NOT NULL,
  requested_at bigint NOT NULL, expires_at bigint NOT NULL, asked_with text NOT NULL, asked_by text NOT NULL,
  decided_at bigint, decided_with text, decided_by text, feedback text, response {bytes},
  ask_digest {bytes} NOT NULL, payload_hash text, link_digest {bytes}, request_url text, callback_url text,
  title text, description text, options text, payload {bytes}, removed bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (project, id)
);
CREATE UNIQUE INDEX approval_round ON approval (project, run, round);
CREATE UNIQUE INDEX approval_link ON approval (link_digest) WHERE link_digest IS NOT NULL;
CREATE INDEX approval_listed ON approval (project, requested_at, id);
CREATE INDEX approval_pending ON approval (project, requested_at, id) WHERE status = 'pending';
CREATE INDEX approval_expiry ON approval (expires_at) WHERE status = 'pending';

-- The question that a run waits for, and until when: while it does nothing else moves it, and its own deadlines stand still.
ALTER TABLE run ADD COLUMN approval text;
ALTER TABLE run ADD COLUMN approval_until bigint;

CREATE TABLE approval_service (
  project text NOT NULL, name text NOT NULL,
  sealed {bytes}, schemes text NOT NULL, require_timestamp bigint NOT NULL, agents text,
  created_at bigint NOT NULL, updated_at bigint NOT NULL, deleted_at bigint, changed bigint NOT NULL,
  PRIMARY KEY (project, name)
);
CREATE INDEX approval_service_changed ON approval_service (changed);
