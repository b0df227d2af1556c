-- The line for a free sandbox follows priorities: what somebody waits for goes before what nobody does.
ALTER TABLE sandbox_waits ADD COLUMN priority smallint NOT NULL DEFAULT 2;
