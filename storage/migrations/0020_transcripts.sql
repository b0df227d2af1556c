-- The turns of a model that works with tools: one row per message, in the order of `position`, kept once per operation.
CREATE TABLE transcripts (
  session_id   text        NOT NULL,
  thread       text        NOT NULL,
  operation_id text        NOT NULL,
  position     bigint      GENERATED ALWAYS AS IDENTITY,
  message      json        NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, thread, operation_id)
);
CREATE INDEX transcripts_in_order ON transcripts (session_id, thread, position);
