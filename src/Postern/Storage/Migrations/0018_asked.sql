-- When a worker asked for work of an agent last, to the minute.
CREATE TABLE agent_asked (
  project text NOT NULL, agent text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (project, agent)
) {rowless};
