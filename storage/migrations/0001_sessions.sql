-- One row per session: what the API lists and shows without asking the workflow.
CREATE TABLE sessions (
  id              text PRIMARY KEY,
  user_id         text NOT NULL DEFAULT 'local',
  idempotency_key text,
  title           text NOT NULL DEFAULT '',
  prompt          text NOT NULL,
  mode            text NOT NULL,
  template        text,
  request         json,
  state           text NOT NULL DEFAULT 'starting',
  state_reason    text NOT NULL DEFAULT '',
  state_since     timestamptz NOT NULL DEFAULT now(),
  preview_name    text UNIQUE,
  progress        json,                       -- the last stored answer to the workflow query `progress`
  progress_seq    bigint NOT NULL DEFAULT 0,   -- the last event reflected in it
  progress_at     timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, idempotency_key)
);

CREATE INDEX sessions_of_user ON sessions (user_id, created_at DESC, id DESC);
