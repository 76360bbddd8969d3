-- Endpoints that are sent the link of a question: it decides, so it takes an administrator to say who gets it.
ALTER TABLE webhook_endpoint ADD COLUMN links bigint NOT NULL DEFAULT 0;
