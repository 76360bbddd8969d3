-- Runs of sessions are kept with their session: retention passes over none of them.
CREATE INDEX run_ended_alone ON run (ended_at) WHERE ended_at IS NOT NULL AND session IS NULL;
DROP INDEX run_ended;
-- Sessions that have expired and were told so, for retention.
CREATE INDEX session_expired ON session (expires_at) WHERE expiry_told = 1 AND closed_at IS NULL;
