-- One row per call to a model provider. It is written before the call and settled after it, so that a worker that dies
-- in between leaves the call on record.
CREATE TABLE model_attempts (
  session_id          text NOT NULL,
  operation_id        text NOT NULL,
  execution           integer NOT NULL DEFAULT 0,   -- counted by the workflow, per start of the operation
  attempt             integer NOT NULL,             -- counted by Temporal, per execution
  call_number         integer NOT NULL DEFAULT 0,   -- counted by the activity, per attempt
  user_id             text,
  action              text NOT NULL,
  provider            text NOT NULL,
  model               text NOT NULL,
  served_model        text NOT NULL DEFAULT '',
  route_reason        text NOT NULL DEFAULT '',
  credential          text NOT NULL,
  via_gateway         boolean NOT NULL DEFAULT false,
  input_tokens        bigint NOT NULL DEFAULT 0,    -- cached tokens included
  cached_input_tokens bigint NOT NULL DEFAULT 0,
  cache_write_tokens  bigint NOT NULL DEFAULT 0,
  output_tokens       bigint NOT NULL DEFAULT 0,    -- reasoning included
  reasoning_tokens    bigint NOT NULL DEFAULT 0,
  estimated           boolean NOT NULL DEFAULT false,
  price               numeric(20, 10),              -- US dollars; null where no price is known
  price_source        text NOT NULL DEFAULT '',
  reserved            numeric(20, 10) NOT NULL DEFAULT 0,
  time_to_first_token double precision,             -- seconds
  duration            double precision NOT NULL DEFAULT 0,
  outcome             text NOT NULL CHECK (outcome IN ('started', 'succeeded', 'failed', 'cancelled', 'lost')),
  finish_reason       text,
  error_code          text,
  context_parts       jsonb NOT NULL DEFAULT '{}',
  started_at          timestamptz NOT NULL,
  PRIMARY KEY (session_id, operation_id, execution, attempt, call_number)
);

CREATE INDEX model_attempts_of_user ON model_attempts (user_id, started_at);
CREATE INDEX model_attempts_by_time ON model_attempts (started_at);

-- Health of providers as all workers see it. The key is `provider`, or `provider/model` for limits of one model.
CREATE TABLE provider_breakers (
  key             text PRIMARY KEY,
  state           text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
  failures        integer NOT NULL DEFAULT 0,       -- in a row
  opens           integer NOT NULL DEFAULT 0,       -- in a row; each holds longer
  last_error      text,
  last_failure_at timestamptz,
  opened_at       timestamptz,
  retry_at        timestamptz                       -- open: when a probe may go; half open: when the next one may
);
