-- Questions that a person does not want to see for a while. It decides nothing, and nobody else notices.
CREATE TABLE approval_aside (
  project text NOT NULL, person text NOT NULL, approval text NOT NULL, until bigint NOT NULL,
  PRIMARY KEY (project, person, approval)
) {rowless};
CREATE INDEX approval_aside_until ON approval_aside (until);
