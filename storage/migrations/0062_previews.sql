-- A grant to see a session's preview is good for one revision: raising it takes all grants back.
ALTER TABLE sessions ADD COLUMN preview_revision bigint NOT NULL DEFAULT 0;

-- What a session's development server was seen doing last, and what went wrong in its pages.
CREATE TABLE preview_reports (
  session_id text PRIMARY KEY,
  server     text,         -- JSON, which as such could not hold every character of untrusted output
  server_at  timestamptz,
  pages      text,         -- issues found by looking at the pages
  pages_at   timestamptz
);
