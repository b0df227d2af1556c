-- Secrets of users, sealed: a master key (outside of the database) wraps one key per user, which wraps one key per
-- secret, which seals the secret. Nothing here can be read without the master key, nor under another user or name.
CREATE TABLE vault_user_keys (
  user_id    text        PRIMARY KEY,
  master_id  text        NOT NULL,             -- which master key wraps it
  wrapped    bytea       NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX vault_user_keys_by_master ON vault_user_keys (master_id);

CREATE TABLE vault_secrets (
  user_id      text        NOT NULL REFERENCES vault_user_keys ON DELETE CASCADE,
  name         text        NOT NULL,           -- what it is for: a provider
  bound        text        NOT NULL DEFAULT '', -- where it may go; part of what is authenticated
  wrapped      bytea       NOT NULL,
  sealed       bytea       NOT NULL,
  hint         text        NOT NULL,           -- the last characters, for people to tell keys apart
  note         text        NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL DEFAULT now(),
  checked_at   timestamptz,
  last_used_at timestamptz,
  PRIMARY KEY (user_id, name)
);

-- OpenAI-compatible servers that users brought. Their keys are in the vault, bound to the address.
CREATE TABLE custom_providers (
  user_id    text        NOT NULL,
  id         text        NOT NULL,
  title      text        NOT NULL,
  base_url   text        NOT NULL,
  models     jsonb       NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, id)
);

-- What users set for actions, over the defaults; and what a session started with.
CREATE TABLE model_settings (
  user_id    text        NOT NULL,
  action     text        NOT NULL,
  settings   jsonb       NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, action)
);

CREATE TABLE session_model_settings (
  session_id text        PRIMARY KEY,
  user_id    text        NOT NULL,
  settings   jsonb       NOT NULL,
  taken_at   timestamptz NOT NULL DEFAULT now()
);
