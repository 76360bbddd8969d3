-- What happened together is one row: the first event in its columns, the others behind it here, as a JSON list.
ALTER TABLE event ADD COLUMN more text;
