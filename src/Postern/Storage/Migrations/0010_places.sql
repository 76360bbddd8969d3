-- Endpoints with something due now are found by the time, without those whose next try is later.
CREATE INDEX delivery_due_now ON delivery (due_at, project, endpoint) WHERE due_at IS NOT NULL;

-- When a replay last sent it again although it had arrived: a repeat of the replay does not.
ALTER TABLE delivery ADD COLUMN replayed_at bigint;

-- What still waits for an endpoint that was disabled is ended batch by batch.
CREATE INDEX webhook_endpoint_disabled ON webhook_endpoint (project, id) WHERE enabled = 0 AND disabled_reason IS NOT NULL;

-- Since when a run waits for a place at its agent, or to go on. It is not due meanwhile: what frees a place makes the
-- oldest of them due.
ALTER TABLE run ADD COLUMN waits_at bigint;
CREATE INDEX run_waits ON run (project, agent, waits_at) WHERE waits_at IS NOT NULL;
