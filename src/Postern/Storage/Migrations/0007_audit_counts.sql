-- How often the same was refused from one address within a minute: one row each, so that strangers cannot fill the disk.
ALTER TABLE audit ADD COLUMN times bigint NOT NULL DEFAULT 1;
