-- Of a plane: messages that a relay took before it may have been forgotten. It moves when a relay begins to keep
-- requests for longer than it has said before.
ALTER TABLE joined_relay ADD COLUMN remembers_from bigint NOT NULL DEFAULT 0;

-- How each node of a plane stands to each relay, as the node said last. PostgreSQL alone: SQLite has one.
CREATE TABLE joined_node (
  relay text NOT NULL, node text NOT NULL, host text NOT NULL, seen_at bigint NOT NULL, said text NOT NULL,
  PRIMARY KEY (relay, node)
) {rowless};
CREATE INDEX joined_node_seen ON joined_node (seen_at);
