-- What each node has counted, by the minute (width 60) and by the hour (width 3600): `at` is where the minute or hour
-- begins. A node has a name of its own each time it starts, so a row is written by one process only. `buckets` is of
-- spans; `max` the greatest level, or the longest span in microseconds.
CREATE TABLE metric (
  project text NOT NULL, name text NOT NULL, width bigint NOT NULL, at bigint NOT NULL, node text NOT NULL,
  count bigint NOT NULL, max bigint NOT NULL, buckets text,
  PRIMARY KEY (project, name, width, at, node)
) {rowless};
CREATE INDEX metric_at ON metric (width, at);
