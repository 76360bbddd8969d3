-- How old an endpoint's secret is; and what became of what was sent to it, the newest first.
ALTER TABLE webhook_endpoint ADD COLUMN secret_at bigint;
CREATE INDEX delivery_of_endpoint ON delivery (project, endpoint, ended_at) WHERE ended_at IS NOT NULL;
