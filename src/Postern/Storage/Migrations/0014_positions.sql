-- The place of an event in the list that people follow. Those from before have 0 and stand before all others, in the
-- order of their ids: the cursors of before go on.
ALTER TABLE event ADD COLUMN position bigint NOT NULL DEFAULT 0;
CREATE INDEX event_position ON event (project, position, id);
{postgres} CREATE SEQUENCE event_positions;
