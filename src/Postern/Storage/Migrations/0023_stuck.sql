-- When what a trigger's senders sign with was changed last, and by whom; and by what a captured request was let in.
ALTER TABLE agent_trigger ADD COLUMN auth_changed_at bigint;
ALTER TABLE agent_trigger ADD COLUMN auth_changed_by text;
ALTER TABLE capture ADD COLUMN signed text;
-- What does not go on as it should is found by these, the oldest first, however much else there is.
CREATE INDEX delivery_tried ON delivery (project, purpose, id) WHERE status = 'pending' AND attempts > 0;
CREATE INDEX run_given ON run (project, deadline_at) WHERE ended_at IS NULL AND dispatched = 1 AND session IS NULL;
CREATE INDEX session_wanted_of ON session (project, run_wanted_until) WHERE run_wanted_until IS NOT NULL;
CREATE INDEX capture_open ON capture (project, at, id) WHERE ended_at IS NULL;
CREATE INDEX capture_took ON capture (project, trigger_uid, ended_at, at) WHERE status = 'success';
