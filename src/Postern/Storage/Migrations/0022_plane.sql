-- Relays that this server has joined as a plane, and what each has handed on.
CREATE TABLE joined_relay (
  relay text PRIMARY KEY, plane text NOT NULL, server text NOT NULL, url text NOT NULL, code text NOT NULL,
  relay_key text NOT NULL, next_relay_key text, standing text NOT NULL,
  sign_sealed {bytes} NOT NULL, open_sealed {bytes} NOT NULL, old_sign_sealed {bytes}, old_open_sealed {bytes},
  joined_at bigint NOT NULL, rotated_at bigint, held_for bigint NOT NULL,
  doors_version bigint NOT NULL, doors_digest text NOT NULL, checked_seq bigint NOT NULL
) {rowless};
CREATE TABLE relay_envelope (
  relay text NOT NULL, id text NOT NULL, seq bigint NOT NULL, lane text NOT NULL, digest text NOT NULL,
  received_at bigint NOT NULL, taken_at bigint NOT NULL, state text NOT NULL,
  status bigint, headers text, body {bytes},
  PRIMARY KEY (relay, id)
) {rowless};
CREATE UNIQUE INDEX relay_envelope_seq ON relay_envelope (relay, seq);
CREATE INDEX relay_envelope_lane ON relay_envelope (relay, lane, seq);
CREATE INDEX relay_envelope_unsettled ON relay_envelope (relay, seq) WHERE state = 'answered';
CREATE INDEX relay_envelope_taken_at ON relay_envelope (taken_at);
