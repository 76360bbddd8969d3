-- How a described sender writes its signature, JSON.
ALTER TABLE agent_trigger ADD COLUMN auth_form text;

-- Bodies of filtered requests are kept for the newest few alone.
CREATE INDEX capture_filtered_body ON capture (project, trigger_uid, at, id) WHERE status = 'filtered' AND body IS NOT NULL;
