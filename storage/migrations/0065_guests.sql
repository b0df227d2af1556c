-- Links that let people look without an account. Whoever comes by one is the user guest:LINK, who has no row.
ALTER TABLE share_links ADD COLUMN anonymous boolean NOT NULL DEFAULT false CHECK (NOT anonymous OR access = 'view');

CREATE OR REPLACE VIEW valid_session_shares AS
SELECT s.* FROM session_shares s LEFT JOIN share_links l ON l.id = s.link_id
WHERE s.link_id = '' OR (l.revoked_at IS NULL AND l.expires_at > now())
UNION ALL
SELECT session_id, 'guest:' || id, id, access, created_at FROM share_links
WHERE anonymous AND revoked_at IS NULL AND expires_at > now();
