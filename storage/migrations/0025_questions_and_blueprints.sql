-- Answers to choose from beside a question, and what a message means where its words alone do not say it.
ALTER TABLE messages ADD COLUMN options json NOT NULL DEFAULT '[]';
ALTER TABLE messages ADD COLUMN meaning text;

-- Blueprints as they were written and changed, the newest by `position`: one per operation.
CREATE TABLE blueprints (
  session_id   text        NOT NULL,
  operation_id text        NOT NULL,
  position     bigint      GENERATED ALWAYS AS IDENTITY,
  blueprint    json        NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, operation_id)
);
CREATE INDEX blueprints_in_order ON blueprints (session_id, position);
