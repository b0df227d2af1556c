-- The same function for less work: numbers follow from the heads, which are locked and read first, instead of from a
-- join of what was updated, which the planner made a loop over all pairs of sessions.
CREATE OR REPLACE FUNCTION append_events(
  s_session text[], s_writer text[], s_token uuid[], s_first bigint[], s_count bigint[],
  i_segment int[], i_type text[], i_chunk_of text[], i_data text[])
RETURNS TABLE (segment int, last_seq bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  -- In order of session, so that two workers never wait for each other in a circle. A statement of its own: what the
  -- next one sees is from after the wait.
  PERFORM 1 FROM event_heads WHERE session_id = ANY (s_session) ORDER BY session_id FOR UPDATE;
  RETURN QUERY
  WITH owned AS MATERIALIZED (
    SELECT s.*, w.last_n, w.last_seq, h.last_seq AS base
    FROM unnest(s_session, s_writer, s_token, s_first, s_count)
      WITH ORDINALITY AS s (session_id, writer, token, first_n, items, position)
    JOIN event_writers w ON w.session_id = s.session_id AND w.writer = s.writer AND w.token = s.token
    JOIN event_heads h ON h.session_id = s.session_id),
  placed AS MATERIALIZED (
    SELECT o.*, o.base + sum(o.items) OVER (PARTITION BY o.session_id ORDER BY o.position)::bigint AS top
    FROM owned o WHERE o.last_n = o.first_n - 1),
  head AS (
    UPDATE event_heads h SET last_seq = t.top
    FROM (SELECT p.session_id, max(p.top) AS top FROM placed p GROUP BY p.session_id) t
    WHERE h.session_id = t.session_id
    RETURNING h.session_id, h.last_seq),
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

-- A check of the id would be made again with every number that is given out: it is made when a log begins.
CREATE FUNCTION refuse_session_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'no session can have the id %', NEW.session_id USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER session_id_travels_in_payloads BEFORE INSERT OR UPDATE OF session_id ON event_heads
  FOR EACH ROW WHEN (NEW.session_id !~ '^[A-Za-z0-9._:@-]{1,100}$') EXECUTE FUNCTION refuse_session_id();
ALTER TABLE event_heads DROP CONSTRAINT event_heads_session_id_check;
