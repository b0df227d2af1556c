-- What a user allows a key to be used for in a minute; null is no limit.
ALTER TABLE vault_secrets
  ADD COLUMN calls_per_minute  int CHECK (calls_per_minute > 0),
  ADD COLUMN tokens_per_minute int CHECK (tokens_per_minute > 0);
