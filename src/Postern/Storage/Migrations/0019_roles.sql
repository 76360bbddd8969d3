-- The roles of a person whom an identity provider named when a session of the console began, a line each; null for keys
-- and for whom a proxy vouches.
ALTER TABLE console_session ADD COLUMN roles text;

-- Those that have not ended, the newest first: of one credential or of all.
CREATE INDEX console_session_living ON console_session (project, id) WHERE ended_at IS NULL;
