-- Sessions that their owners put away: they are kept, and not listed among the others.
ALTER TABLE sessions ADD COLUMN archived_at timestamptz;
CREATE INDEX sessions_by_rest ON sessions (updated_at) WHERE state IN ('completed', 'failed', 'stopped', 'idle');
