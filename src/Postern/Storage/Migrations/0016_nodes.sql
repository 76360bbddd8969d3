-- The nodes that serve from this database, each with the number of the last hint that it has told, and when it was last
-- there. PostgreSQL alone: SQLite has one.
CREATE TABLE node (
  id text NOT NULL PRIMARY KEY,
  told bigint NOT NULL, seen_at bigint NOT NULL
);

-- What each node has told the others, under numbers without a gap: topics that it has committed something about.
CREATE TABLE hint_log (
  node text NOT NULL, number bigint NOT NULL,
  at bigint NOT NULL, topics text NOT NULL,
  PRIMARY KEY (node, number)
);
CREATE INDEX hint_log_at ON hint_log (at);
-- What a crash of the database takes of it is a gap, behind which everything is looked at.
{postgres} ALTER TABLE hint_log SET UNLOGGED;
