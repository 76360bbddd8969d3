-- Triggers that were deleted, whose captures are still removed, some at a time.
CREATE TABLE removed_trigger (
  project text NOT NULL, uid text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (project, uid)
) {rowless};
