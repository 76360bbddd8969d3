-- The trigger at whose URL a request was refused, by its name and its own id; and how the audit is asked.
ALTER TABLE audit ADD COLUMN trigger_name text;
ALTER TABLE audit ADD COLUMN trigger_uid text;
CREATE INDEX audit_actor ON audit (project, actor, id) WHERE actor IS NOT NULL;
CREATE INDEX audit_address ON audit (project, address, id) WHERE address IS NOT NULL;
CREATE INDEX audit_trigger ON audit (project, trigger_name, id) WHERE trigger_name IS NOT NULL;

-- Secrets that signed for a trigger until lately, sealed: they open nothing, and tell an old signature from a wrong one.
ALTER TABLE agent_trigger ADD COLUMN retired_sealed {bytes};
