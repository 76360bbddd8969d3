-- The header in which the senders of a trigger name a delivery; null: the known ones.
ALTER TABLE agent_trigger ADD COLUMN delivery_id_header text;
