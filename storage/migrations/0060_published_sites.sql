-- What a session's published site consists of, served by any host.
CREATE TABLE published_sites (
  session_id   text PRIMARY KEY,
  digest       text NOT NULL,
  files        jsonb NOT NULL,                 -- the SHA-256 of each path's content, in blobs
  published_at timestamptz NOT NULL DEFAULT now()
);
