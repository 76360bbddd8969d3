-- Rows that are rewritten often leave room beside them: a new version that changes no indexed column stays in its block.
{postgres} ALTER TABLE run SET (fillfactor = 80);
{postgres} ALTER TABLE session SET (fillfactor = 80);
{postgres} ALTER TABLE delivery SET (fillfactor = 80);
