-- Of a relay (postern relay serve), whose rows are keyed by plane: it has no projects.
CREATE TABLE relay_plane (
  plane text NOT NULL PRIMARY KEY, name text NOT NULL,
  sign_key text NOT NULL, open_key text NOT NULL,
  old_sign_key text, old_sign_until bigint,
  envelopes bigint NOT NULL, bytes bigint NOT NULL,
  next_seq bigint NOT NULL,
  open_count bigint NOT NULL, open_bytes bigint NOT NULL,
  unknown_count bigint NOT NULL, unknown_bytes bigint NOT NULL,
  doors_version bigint NOT NULL, doors {bytes},
  holder text, holder_until bigint NOT NULL, held_at bigint NOT NULL,
  created_at bigint NOT NULL, seen_at bigint, revoked_at bigint
);
CREATE INDEX relay_plane_created ON relay_plane (created_at, plane);

-- Codes by which a plane joins, once. `plane`: of one that has lost its keys; null: of a new one.
CREATE TABLE relay_code (
  code text NOT NULL PRIMARY KEY, name text NOT NULL, plane text,
  envelopes bigint NOT NULL, bytes bigint NOT NULL,
  created_at bigint NOT NULL, until bigint NOT NULL,
  used_at bigint, used_name text, used_plane text
);
CREATE INDEX relay_code_until ON relay_code (until);

CREATE TABLE relay_nonce (
  plane text NOT NULL, nonce text NOT NULL, until bigint NOT NULL,
  PRIMARY KEY (plane, nonce)
);
CREATE INDEX relay_nonce_until ON relay_nonce (until);

-- Connections of planes. `node`: of the plane's processes; one that connects anew replaces its own.
CREATE TABLE relay_connection (
  plane text NOT NULL, connection text NOT NULL, node text NOT NULL,
  address text NOT NULL, transport text NOT NULL,
  since bigint NOT NULL, seen_at bigint NOT NULL,
  PRIMARY KEY (plane, connection)
);
CREATE INDEX relay_connection_seen ON relay_connection (seen_at);

-- Stored requests. `frame`: sealed and signed, as it is sent; null once there is an answer, or none will come, as
-- `open_seq` is, which is the number else. `told` is 0 while the plane has not been told that one is gone.
CREATE TABLE relay_request (
  plane text NOT NULL, seq bigint NOT NULL, open_seq bigint, id text NOT NULL, lane text NOT NULL,
  network text NOT NULL, is_known bigint NOT NULL, is_signed bigint NOT NULL,
  size bigint NOT NULL, frame {bytes}, receipt {bytes} NOT NULL,
  received_at bigint NOT NULL, expires_at bigint NOT NULL,
  state text NOT NULL, ended_at bigint, told bigint NOT NULL,
  status bigint, headers text, body {bytes},
  PRIMARY KEY (plane, seq)
);
CREATE UNIQUE INDEX relay_request_receipt ON relay_request (receipt);
CREATE INDEX relay_request_open ON relay_request (plane, open_seq) WHERE open_seq IS NOT NULL;
CREATE INDEX relay_request_lane ON relay_request (plane, lane) WHERE open_seq IS NOT NULL;
CREATE INDEX relay_request_expires ON relay_request (expires_at) WHERE open_seq IS NOT NULL;
CREATE INDEX relay_request_gone ON relay_request (plane, seq) WHERE told = 0;
CREATE INDEX relay_request_ended ON relay_request (ended_at) WHERE ended_at IS NOT NULL;

-- Networks from which something came that a plane's signed door took.
CREATE TABLE relay_network (
  plane text NOT NULL, network text NOT NULL, until bigint NOT NULL,
  PRIMARY KEY (plane, network)
);
CREATE INDEX relay_network_until ON relay_network (until);

-- The keys that the relay signs with, one after the other, sealed.
CREATE TABLE relay_key (
  number bigint NOT NULL PRIMARY KEY, relay text NOT NULL,
  public text NOT NULL, sealed {bytes} NOT NULL,
  signs_from bigint NOT NULL
);
