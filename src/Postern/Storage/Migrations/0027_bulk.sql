-- What a preview of an action on many things found, until it is started or forgotten: `items` is the JSON list of ids.
-- `mark` is the digest of what the preview gave out.
CREATE TABLE bulk_preview (
  project text NOT NULL, mark {bytes} NOT NULL,
  action text NOT NULL, filter text NOT NULL,
  items text NOT NULL, matched bigint NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (project, mark)
);
CREATE INDEX bulk_preview_at ON bulk_preview (at);
CREATE INDEX bulk_preview_newest ON bulk_preview (project, at);

-- Jobs over many things. `place` is the next of `items`, which is empty once the job needs it no more. `key_id` and
-- `secret` (a digest), or `session` and `scopes`, are the authority of who asked: it is asked again for each batch.
-- `waits_until`: a delivery of it may still be on its way, so its outcome is looked at.
CREATE TABLE bulk_job (
  project text NOT NULL, id text NOT NULL, mark {bytes} NOT NULL,
  action text NOT NULL, filter text NOT NULL, reason text, as_of bigint NOT NULL,
  credential text NOT NULL, actor text NOT NULL, address text,
  key_id text, secret {bytes}, session text, scopes text,
  items text NOT NULL, matched bigint NOT NULL, place bigint NOT NULL DEFAULT 0,
  done bigint NOT NULL DEFAULT 0, skipped bigint NOT NULL DEFAULT 0, arrived bigint NOT NULL DEFAULT 0,
  status text NOT NULL, stopped_because text,
  created_at bigint NOT NULL, moved_at bigint NOT NULL, ended_at bigint, waits_until bigint,
  lease_until bigint NOT NULL DEFAULT 0, lease_no bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (project, id)
);
CREATE UNIQUE INDEX bulk_job_mark ON bulk_job (project, mark);
CREATE INDEX bulk_job_running ON bulk_job (lease_until) WHERE ended_at IS NULL OR waits_until IS NOT NULL;
CREATE INDEX bulk_job_live ON bulk_job (project) WHERE ended_at IS NULL;
CREATE INDEX bulk_job_ended ON bulk_job (ended_at) WHERE ended_at IS NOT NULL;

-- Items that were not touched, each with the reason: its code, and its words.
CREATE TABLE bulk_skip (
  project text NOT NULL, job text NOT NULL, place bigint NOT NULL,
  item text NOT NULL, code text NOT NULL, words text NOT NULL,
  PRIMARY KEY (project, job, place)
) {rowless};
