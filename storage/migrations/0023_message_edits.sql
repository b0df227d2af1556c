-- The number of the workflow's event that a turn reflects: an older one, written late, changes nothing.
ALTER TABLE messages ADD COLUMN reflects bigint NOT NULL DEFAULT 0;
