-- Addresses of users' programs that are told what happens in their sessions. The secret of each is in the vault under
-- `webhook:ID`, bound to the address.
CREATE TABLE webhooks (
  id              text        PRIMARY KEY,
  user_id         text        NOT NULL,
  url             text        NOT NULL,
  events          text[]      NOT NULL,
  description     text        NOT NULL DEFAULT '',
  created_at      timestamptz NOT NULL DEFAULT now(),
  failing_since   timestamptz,                    -- the first failure after the last success
  disabled_at     timestamptz,
  disabled_reason text        NOT NULL DEFAULT ''
);
CREATE INDEX webhooks_of_user ON webhooks (user_id);

-- What has to be told, and was. A row is written in the transaction that writes the event (see the trigger).
CREATE TABLE webhook_deliveries (
  id            text        PRIMARY KEY,          -- the header webhook-id
  webhook_id    text        NOT NULL REFERENCES webhooks ON DELETE CASCADE,
  user_id       text        NOT NULL,
  session_id    text,                             -- null for a test
  seq           bigint,
  event         text        NOT NULL,
  data          text        NOT NULL,             -- the event as it is in the log: one JSON object
  created_at    timestamptz NOT NULL DEFAULT now(),
  next_at       timestamptz DEFAULT now(),        -- null: delivered or given up
  tries         int         NOT NULL DEFAULT 0,
  tried_at      timestamptz,
  delivered_at  timestamptz,
  answer_status int,
  error         text        NOT NULL DEFAULT '',
  UNIQUE (webhook_id, session_id, seq)
) WITH (fillfactor = 70);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (webhook_id, created_at DESC);
CREATE INDEX webhook_deliveries_of_session ON webhook_deliveries (session_id);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at);

-- The names are those of schemas/webhooks.py. Inside the text of a JSON string every quotation mark has a backslash
-- before it, so what these expressions find is a key with its value; a cast to json would refuse some texts.
CREATE FUNCTION queue_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  told text := CASE NEW.type
    WHEN 'session_state' THEN 'session.' || substring(NEW.data FROM '"name":"([a-z_]+)"')
    WHEN 'phase' THEN 'phase.' || substring(NEW.data FROM '"status":"([a-z_]+)"')
    WHEN 'deployment' THEN 'deployment.' || substring(NEW.data FROM '"status":"([a-z_]+)"')
    WHEN 'message' THEN 'message.' || substring(NEW.data FROM '"role":"([a-z_]+)"')
    WHEN 'file_generated' THEN 'file.generated'
    WHEN 'budget' THEN 'budget.notice'
    ELSE NEW.type
  END;
BEGIN
  INSERT INTO webhook_deliveries (id, webhook_id, user_id, session_id, seq, event, data)
  SELECT 'msg_' || replace(gen_random_uuid()::text, '-', ''), w.id, w.user_id, NEW.session_id, NEW.seq, told, NEW.data
  FROM sessions s JOIN webhooks w ON w.user_id = s.user_id
  WHERE s.id = NEW.session_id AND w.disabled_at IS NULL AND told = ANY (w.events)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER tell_webhooks AFTER INSERT ON events FOR EACH ROW
  WHEN (NEW.type IN ('session_state', 'phase', 'file_generated', 'deployment', 'message', 'budget', 'error'))
  EXECUTE FUNCTION queue_webhooks();
