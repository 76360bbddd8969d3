-- The roles of a person whom an identity provider named when a session of the console began, a line each; null for keys
-- and for whom a proxy vouches.
ALTER TABLE console_session ADD COLUMN roles text;
