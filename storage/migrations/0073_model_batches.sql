-- Calls of bulk sessions that wait at a provider's batch endpoint. `record` is the ledger's row of the call.
CREATE TABLE model_batches (
  session_id   text        NOT NULL,
  operation_id text        NOT NULL,
  call_number  int         NOT NULL,
  digest       text        NOT NULL,             -- of what was asked, and of whom
  user_id      text        NOT NULL,
  provider     text        NOT NULL,
  batch_id     text        NOT NULL,
  name         text        NOT NULL,             -- of the call within the batch
  state        text        NOT NULL DEFAULT 'sent' CHECK (state IN ('sent', 'done', 'failed', 'cancelled')),
  reason       text        NOT NULL DEFAULT '',
  record       text        NOT NULL,
  sent_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, operation_id, call_number, digest)
);
CREATE INDEX model_batches_sent ON model_batches (sent_at) WHERE state = 'sent';
