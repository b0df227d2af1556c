-- How far the delivery of a notice is, by mail and by webhook, each with tries of its own.
DROP INDEX budget_notices_to_send;
ALTER TABLE budget_notices
  DROP COLUMN mailed_at,
  DROP COLUMN hooked_at,
  DROP COLUMN next_try_at,
  ADD COLUMN mail_next_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN mail_done_at timestamptz,
  ADD COLUMN hook_next_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN hook_done_at timestamptz;

CREATE INDEX budget_notices_to_mail ON budget_notices (mail_next_at) WHERE mail_done_at IS NULL;
CREATE INDEX budget_notices_to_hook ON budget_notices (hook_next_at) WHERE hook_done_at IS NULL;
