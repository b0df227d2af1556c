-- What may be spent. `owner` is a user, a session, or '' for everybody; a user's own budgets and the operator's both
-- hold. A budget of kind `session` that belongs to a user or to everybody bounds each of their sessions.
CREATE TABLE budgets (
  scope      text NOT NULL CHECK (scope IN ('everyone', 'user', 'session')),
  owner      text NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('session', 'day', 'month', 'total')),
  set_by     text NOT NULL CHECK (set_by IN ('user', 'operator')),
  limit_usd  numeric(20, 10) NOT NULL CHECK (limit_usd >= 0),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (scope, owner, kind, set_by),
  CHECK (scope <> 'session' OR kind = 'session')
);

CREATE TABLE spending_choices (
  user_id            text PRIMARY KEY,
  cheaper_near_limit boolean NOT NULL DEFAULT false
);

-- Every notice about a budget, once: the key says which. `session_id` is where it was told.
CREATE TABLE budget_notices (
  id           bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  owner        text NOT NULL,
  kind         text NOT NULL,
  period_start timestamptz NOT NULL,
  limit_usd    numeric(20, 10) NOT NULL,
  percent      int NOT NULL,
  user_id      text NOT NULL,
  session_id   text NOT NULL,
  spent_usd    numeric(20, 10) NOT NULL,
  at           timestamptz NOT NULL DEFAULT now(),
  mail_tries   int NOT NULL DEFAULT 0,
  mailed_at    timestamptz,
  hook_tries   int NOT NULL DEFAULT 0,
  hooked_at    timestamptz,
  next_try_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner, kind, period_start, limit_usd, percent)
);

CREATE INDEX budget_notices_of_user ON budget_notices (user_id, at DESC);
CREATE INDEX budget_notices_to_send ON budget_notices (next_try_at) WHERE mailed_at IS NULL OR hooked_at IS NULL;

-- Rate limits (GCRA): the theoretical arrival time of each. One in the past says nothing and may be deleted.
CREATE TABLE rate_limits (
  key text PRIMARY KEY,
  tat timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- The sessions that work right now, as far as their calls of models show: each holds its place until `until`.
CREATE TABLE working_sessions (
  session_id text PRIMARY KEY,
  user_id    text NOT NULL,
  until      timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX working_sessions_of_user ON working_sessions (user_id, until);
