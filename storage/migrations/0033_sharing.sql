-- Links that share a session. Whoever opens one while signed in gets a share through it.
CREATE TABLE share_links (
  id         text PRIMARY KEY,
  session_id text NOT NULL,
  hash       bytea NOT NULL UNIQUE,
  access     text NOT NULL CHECK (access IN ('view', 'comment', 'edit')),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);

CREATE INDEX share_links_of_session ON share_links (session_id) WHERE revoked_at IS NULL;

-- Who may do what with somebody else's session: given directly, or through a link and for as long as that is valid.
CREATE TABLE session_shares (
  session_id text NOT NULL,
  user_id    text NOT NULL REFERENCES users ON DELETE CASCADE,
  link_id    text NOT NULL DEFAULT '',
  access     text NOT NULL CHECK (access IN ('view', 'comment', 'edit')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, user_id, link_id)
);

CREATE INDEX session_shares_of_user ON session_shares (user_id);

CREATE VIEW valid_session_shares AS
SELECT s.* FROM session_shares s LEFT JOIN share_links l ON l.id = s.link_id
WHERE s.link_id = '' OR (l.revoked_at IS NULL AND l.expires_at > now());

-- Who watches a session now: a row per open stream, refreshed every few seconds. Worth nothing after a crash.
CREATE UNLOGGED TABLE watchers (
  connection text PRIMARY KEY,
  session_id text NOT NULL,
  user_id    text NOT NULL,
  since      timestamptz NOT NULL DEFAULT now(),
  seen_at    timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX watchers_of_session ON watchers (session_id, seen_at);
