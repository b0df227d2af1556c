-- What models answered, for a while: a session can be exported with it as a recording and played again. The content is
-- sealed with the key of the user, as secrets are: without the vault's master key nobody reads it, nor under another name.
CREATE TABLE model_traffic (
  session_id   text        NOT NULL,
  operation_id text        NOT NULL,
  execution    int         NOT NULL,
  attempt      int         NOT NULL,
  call_number  int         NOT NULL,
  user_id      text        NOT NULL,
  outcome      text        NOT NULL,
  started_at   timestamptz NOT NULL,
  ended_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  sealed       bytea       NOT NULL,
  PRIMARY KEY (session_id, operation_id, execution, attempt, call_number)
);
CREATE INDEX model_traffic_by_time ON model_traffic (ended_at);
