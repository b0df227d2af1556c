-- A deleted session's id is looked for in the log.
CREATE INDEX audit_log_of_subject ON audit_log (subject) WHERE subject IS NOT NULL;
