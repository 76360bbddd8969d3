-- Of a relay: questions to people, sealed; it cannot read them. `ended_at`: the question has ended, and `sealed` is how.
CREATE TABLE relay_page (
  plane text NOT NULL, page text NOT NULL, version bigint NOT NULL, sealed {bytes} NOT NULL, size bigint NOT NULL,
  expires_at bigint NOT NULL, ended_at bigint, remove_at bigint NOT NULL,
  PRIMARY KEY (plane, page)
);
CREATE INDEX relay_page_ended ON relay_page (plane, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX relay_page_remove_at ON relay_page (remove_at);

-- What a plane has of them: open ones with their bytes, and ended ones.
CREATE TABLE relay_page_room (
  plane text NOT NULL PRIMARY KEY, pages bigint NOT NULL, bytes bigint NOT NULL, ended bigint NOT NULL
);

-- Of a plane: questions whose page is at a relay. `due_at`: when something is to be sent next; null when the relay has
-- the last of it. `refused_at`: the relay had no room.
CREATE TABLE joined_page (
  page text NOT NULL, plane text NOT NULL, project text NOT NULL, approval text NOT NULL,
  due_at bigint, refused_at bigint, ended_at bigint,
  PRIMARY KEY (page, plane)
) {rowless};
CREATE INDEX joined_page_due ON joined_page (plane, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX joined_page_ended ON joined_page (ended_at) WHERE ended_at IS NOT NULL;
