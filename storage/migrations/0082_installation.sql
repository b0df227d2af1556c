-- Which jurisdiction this database holds the data of, where it belongs to one: at most one row.
CREATE TABLE installation (
  jurisdiction text NOT NULL,
  claimed_at   timestamptz NOT NULL DEFAULT now(),
  one          boolean PRIMARY KEY DEFAULT true CHECK (one)
);
