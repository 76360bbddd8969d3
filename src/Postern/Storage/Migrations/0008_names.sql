-- What clients call an assistant's message: one that comes back with results of tools is merged into the one that is
-- there.
ALTER TABLE message ADD COLUMN client_id text;
CREATE INDEX message_client_id ON message (project, session, client_id) WHERE client_id IS NOT NULL;

-- How often that has happened in a session: a page that was read before it is out of date.
ALTER TABLE session ADD COLUMN merges bigint NOT NULL DEFAULT 0;

-- Captures whose turn has ended, but which nobody settled, as their session was not of a trigger's making: their
-- places are freed.
UPDATE capture
SET status = 'failed', reason = 'interrupted', error = 'Its turn ended in a session that was not its trigger''s.',
  ended_at = COALESCE(started_at, at)
WHERE {rows of capture} AND ended_at IS NULL AND NOT EXISTS (
  SELECT 1 FROM session s
  WHERE s.project = capture.project AND s.id = capture.session
    AND s.closed_at IS NULL AND s.expiry_told = 0 AND s.in_answered_seq < capture.in_seq);
UPDATE agent_trigger SET in_flight = (
  SELECT COUNT(*) FROM capture c
  WHERE c.project = agent_trigger.project AND c.trigger_uid = agent_trigger.uid AND c.ended_at IS NULL);
