-- One ordered log of events per session.
--
-- Numbers are given out under the row lock of event_heads, in the transaction that inserts: the order of commits is the
-- order of numbers, and a reader that has seen number N never meets a row <= N later.
CREATE TABLE event_heads (
  session_id    text PRIMARY KEY CHECK (session_id ~ '^[A-Za-z0-9._:@-]{1,100}$'),  -- it travels in NOTIFY payloads
  last_seq      bigint NOT NULL DEFAULT 0,
  compacted_seq bigint NOT NULL DEFAULT 0   -- rows up to here may have been compacted away; later ones are complete
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- One row per writer: an operation, or '' for the workflow itself. The token belongs to the attempt that may write.
CREATE TABLE event_writers (
  session_id      text   NOT NULL,
  writer          text   NOT NULL,
  token           uuid   NOT NULL,
  run_id          text   NOT NULL,
  execution       int    NOT NULL,
  attempt         int    NOT NULL,
  superseded_runs text[] NOT NULL DEFAULT '{}',  -- earlier workflow runs: they never get the writer back
  resumed         boolean NOT NULL DEFAULT false, -- an attempt before the token's wrote events
  last_n          bigint NOT NULL DEFAULT 0,     -- the token's last accepted item; for the workflow its last event
  first_seq       bigint NOT NULL,               -- the first number any attempt can have been given
  last_seq        bigint NOT NULL DEFAULT 0,     -- the last number given to this token
  PRIMARY KEY (session_id, writer)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE events (
  session_id text        NOT NULL,
  seq        bigint      NOT NULL,
  type       text        NOT NULL,
  data       text        NOT NULL,            -- a JSON object on one line, passed through as it is
  at         timestamptz NOT NULL DEFAULT now(),
  writer     text        NOT NULL,
  chunk_of   text,                            -- for a piece of text: the path or id of the whole
  n          bigint,                          -- for the workflow's events: the workflow's own number
  PRIMARY KEY (session_id, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);

CREATE INDEX events_of_workflow ON events (session_id, n) WHERE n IS NOT NULL;

-- Append the segments of many writers in one statement. Arrays s_* hold one entry per segment, i_* one per event;
-- i_segment is the position (from 1) of the event's segment. Answers the last number of each segment that is in the
-- log, now or from an earlier try of the same call; a segment that is missing in the answer was refused (fenced).
CREATE FUNCTION append_events(
  s_session text[], s_writer text[], s_token uuid[], s_first bigint[], s_count bigint[],
  i_segment int[], i_type text[], i_chunk_of text[], i_data text[])
RETURNS TABLE (segment int, last_seq bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  -- In order of session, so that two workers never wait for each other in a circle.
  PERFORM 1 FROM event_heads WHERE session_id = ANY (s_session) ORDER BY session_id FOR UPDATE;
  RETURN QUERY
  WITH owned AS MATERIALIZED (
    SELECT s.*, w.last_n, w.last_seq
    FROM unnest(s_session, s_writer, s_token, s_first, s_count)
      WITH ORDINALITY AS s (session_id, writer, token, first_n, items, position)
    JOIN event_writers w ON w.session_id = s.session_id AND w.writer = s.writer AND w.token = s.token),
  fresh AS (
    SELECT o.*, sum(o.items) OVER (PARTITION BY o.session_id ORDER BY o.position)::bigint AS upto
    FROM owned o WHERE o.last_n = o.first_n - 1),
  head AS (
    UPDATE event_heads h SET last_seq = h.last_seq + t.items
    FROM (SELECT f.session_id, sum(f.items)::bigint AS items FROM fresh f GROUP BY f.session_id) t
    WHERE h.session_id = t.session_id
    RETURNING h.session_id, h.last_seq, h.last_seq - t.items AS base),
  placed AS (
    SELECT f.*, head.base + f.upto AS top FROM fresh f JOIN head ON head.session_id = f.session_id),
  advanced AS (
    UPDATE event_writers w SET last_n = p.first_n + p.items - 1, last_seq = p.top
    FROM placed p WHERE w.session_id = p.session_id AND w.writer = p.writer),
  item AS (
    SELECT i.*, row_number() OVER (PARTITION BY i.segment ORDER BY i.position) AS nth
    FROM unnest(i_segment, i_type, i_chunk_of, i_data)
      WITH ORDINALITY AS i (segment, type, chunk_of, data, position)),
  inserted AS (
    INSERT INTO events (session_id, seq, type, data, writer, chunk_of)
    SELECT p.session_id, p.top - p.items + i.nth, i.type, i.data, p.writer, i.chunk_of
    FROM placed p JOIN item i ON i.segment = p.position),
  told AS MATERIALIZED (  -- 60 lines of at most 121 bytes stay below the 8,000 bytes of a payload
    SELECT pg_notify('events', string_agg(g.line, E'\n')) FROM (
      SELECT head.session_id || ' ' || head.last_seq AS line, (row_number() OVER () - 1) / 60 AS page FROM head) g
    GROUP BY g.page)
  SELECT p.position::int, p.top FROM placed p WHERE (SELECT count(*) FROM told) > 0
  UNION ALL
  SELECT o.position::int, o.last_seq FROM owned o WHERE o.last_n >= o.first_n + o.items - 1;
END $$;
