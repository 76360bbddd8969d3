-- Why a schedule cannot go on; null while it can. It is tried again each minute.
ALTER TABLE agent_trigger ADD COLUMN schedule_problem text;
