-- Bytes of a session's records, counted from this version on: what is there already is not gone through.
ALTER TABLE session ADD COLUMN bytes bigint NOT NULL DEFAULT 0;

-- How many pieces of a message's content stand in message_piece, before what its own row holds.
ALTER TABLE message ADD COLUMN pieces bigint NOT NULL DEFAULT 0;

-- The beginning of a long message, written piece by piece before the transaction that commits the message: no
-- transaction writes megabytes.
CREATE TABLE message_piece (
  project text NOT NULL, session text NOT NULL, message text NOT NULL, piece bigint NOT NULL,
  body {bytes} NOT NULL,
  PRIMARY KEY (project, session, message, piece)
) {rowless};

-- A message whose pieces are being written and that is not committed yet. What a crash leaves here is swept away with
-- its pieces.
CREATE TABLE message_draft (
  project text NOT NULL, session text NOT NULL, message text NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (project, session, message)
);
CREATE INDEX message_draft_at ON message_draft (at);
