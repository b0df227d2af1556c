-- Sessions that have to be told that a budget of theirs was changed, written with the change. `change` tells a newer
-- change from the one that is being told.
CREATE TABLE budget_changes (
  session_id text        PRIMARY KEY,
  change     uuid        NOT NULL DEFAULT gen_random_uuid(),
  next_at    timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX budget_changes_to_tell ON budget_changes (next_at);
