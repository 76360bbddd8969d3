-- Sessions of the console, by the digest of what their cookie holds. `secret` is the digest of the key's secret that was
-- presented; null for a person whom a proxy vouches for. `changed` is the access version at which it ended.
CREATE TABLE console_session (
  project text NOT NULL, id text NOT NULL,
  digest {bytes} NOT NULL,
  credential text NOT NULL, secret {bytes},
  address text NOT NULL, browser text NOT NULL,
  created_at bigint NOT NULL, seen_at bigint NOT NULL, until bigint NOT NULL,
  ended_at bigint, ended_reason text, changed bigint NOT NULL,
  PRIMARY KEY (project, id)
);
CREATE UNIQUE INDEX console_session_digest ON console_session (digest);
CREATE INDEX console_session_changed ON console_session (changed) WHERE ended_at IS NOT NULL;
CREATE INDEX console_session_until ON console_session (until);
CREATE INDEX console_session_credential ON console_session (project, credential, created_at);

-- Links that open a session once.
CREATE TABLE console_link (
  project text NOT NULL, digest {bytes} NOT NULL,
  credential text NOT NULL, until bigint NOT NULL,
  PRIMARY KEY (project, digest)
);

-- Forms of the console that were taken, with where they led: sent again they have no second effect.
CREATE TABLE console_once (
  project text NOT NULL, session text NOT NULL, once text NOT NULL,
  outcome text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (project, session, once)
);
CREATE INDEX console_once_at ON console_once (at);
