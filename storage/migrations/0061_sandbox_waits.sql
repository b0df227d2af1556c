-- Sandbox steps that wait for a host or run on one, so that those who wait can be told how many are before them.
CREATE TABLE sandbox_waits (
  session_id   text NOT NULL,
  operation_id text NOT NULL,
  queue        text NOT NULL,
  started      boolean NOT NULL DEFAULT false,
  since        timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (session_id, operation_id)
);
