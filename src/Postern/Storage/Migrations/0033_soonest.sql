-- What waits for a person, in the order in which it expires: the list that an operator works off.
CREATE INDEX approval_soonest ON approval (project, expires_at, id) WHERE status = 'pending';
