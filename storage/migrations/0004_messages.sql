-- The conversation beside the work. Ids come from the sender, so that sending twice is harmless.
CREATE TABLE messages (
  session_id text   NOT NULL,
  position   bigint GENERATED ALWAYS AS IDENTITY,
  id         text   NOT NULL,
  role       text   NOT NULL,
  text       text   NOT NULL,
  author     text,
  state      text   NOT NULL,
  phase_id   text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, id)
);

CREATE INDEX messages_in_order ON messages (session_id, position);

-- What a step has done, so that a retried attempt takes it up instead of doing it again.
CREATE TABLE operations (
  session_id  text NOT NULL,
  id          text NOT NULL,
  begun_at    timestamptz NOT NULL DEFAULT now(),
  result      json,
  finished_at timestamptz,
  PRIMARY KEY (session_id, id)
);
