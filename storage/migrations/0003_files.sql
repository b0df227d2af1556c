-- Contents by their SHA-256, shared by all sessions, never changed.
CREATE TABLE blobs (
  sha256     text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  content    bytea NOT NULL,
  size       int   NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- The counter of a session's file versions; its row lock puts changes of a session's files in one order.
CREATE TABLE file_heads (
  session_id   text PRIMARY KEY,
  last_version int NOT NULL DEFAULT 0
);

-- Every change of a file, never changed itself. A NULL sha256 says that the file was deleted.
CREATE TABLE file_versions (
  session_id   text NOT NULL,
  version      int  NOT NULL,
  path         text COLLATE "C" NOT NULL,  -- the same order on every machine
  sha256       text REFERENCES blobs,
  size         int  NOT NULL DEFAULT 0,
  parent       int,                        -- the version of this path that it follows
  author       text NOT NULL,
  reason       text NOT NULL,
  operation_id text NOT NULL,
  phase_id     text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, version)
);

CREATE INDEX file_versions_of_path ON file_versions (session_id, path, version DESC);
CREATE INDEX file_versions_of_operation ON file_versions (session_id, operation_id, path);

CREATE TABLE screenshots (
  session_id text NOT NULL,
  id         text NOT NULL,
  sha256     text NOT NULL REFERENCES blobs,
  media_type text NOT NULL,
  width      int  NOT NULL,
  height     int  NOT NULL,
  phase_id   text,
  note       text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, id)
);
