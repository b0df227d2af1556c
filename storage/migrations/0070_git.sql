-- Commits of a session's repository as they were given out or pushed: what git has seen once never changes again.
CREATE TABLE git_commits (
  session_id text NOT NULL,
  position   int  NOT NULL,  -- from 1, the order of the branch
  version    int  NOT NULL,  -- the files' version whose tree the commit has
  sha1       text NOT NULL,
  content    bytea NOT NULL, -- the raw commit object
  PRIMARY KEY (session_id, position)
);
