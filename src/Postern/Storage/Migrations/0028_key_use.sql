-- From where a key was used, to the minute.
CREATE TABLE key_address (
  project text NOT NULL, key text NOT NULL, address text NOT NULL,
  first_at bigint NOT NULL, last_at bigint NOT NULL,
  PRIMARY KEY (project, key, address)
) {rowless};

-- What an actor started.
CREATE INDEX run_event_first ON run_event (project, actor, run) WHERE seq = 1;
