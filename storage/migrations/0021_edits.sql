-- Who made a change, where a person did; and what a writer gave, where a merge made something else of it.
ALTER TABLE file_versions ADD COLUMN user_id text;
ALTER TABLE file_versions ADD COLUMN given_sha256 text;

-- Users' edits that could not be merged with what the session wrote. At most one of a path waits for a choice; one that
-- is replaced before it was chosen stays, so that no text is lost.
CREATE TABLE file_conflicts (
  session_id  text NOT NULL,
  position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  path        text COLLATE "C" NOT NULL,
  base_sha256 text REFERENCES blobs,
  mine_sha256 text REFERENCES blobs,  -- NULL: the user deleted the file
  version     int  NOT NULL,
  user_id     text NOT NULL,
  choice      text,
  since       timestamptz NOT NULL DEFAULT now(),
  resolved_at timestamptz
);

CREATE UNIQUE INDEX file_conflicts_open ON file_conflicts (session_id, path) WHERE choice IS NULL;
