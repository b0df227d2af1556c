-- Which host has which session, so that a preview is found from every host.
CREATE TABLE sandbox_hosts (
  name text PRIMARY KEY,
  address text NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE session_hosts (
  session_id text PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
  host text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
