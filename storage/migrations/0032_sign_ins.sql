-- A place where a person is signed in. A browser's cookie is kept as its SHA-256; a program holds refresh tokens.
CREATE TABLE sign_ins (
  id           text PRIMARY KEY,
  user_id      text NOT NULL REFERENCES users ON DELETE CASCADE,
  means        text NOT NULL,
  client       text NOT NULL CHECK (client IN ('browser', 'program')),
  cookie_hash  bytea UNIQUE,
  address      text NOT NULL,
  user_agent   text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  revoked_at   timestamptz,
  revoked_because text
);

CREATE INDEX sign_ins_of_user ON sign_ins (user_id, last_seen_at DESC) WHERE revoked_at IS NULL;

-- Every refresh token of a sign-in, used ones too: one that comes a second time was stolen.
CREATE TABLE refresh_tokens (
  hash       bytea PRIMARY KEY,
  sign_in_id text NOT NULL REFERENCES sign_ins ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  used_at    timestamptz
);

CREATE INDEX refresh_tokens_of_sign_in ON refresh_tokens (sign_in_id);

-- Accounts elsewhere that sign a person in here.
CREATE TABLE user_identities (
  provider   text NOT NULL,
  subject    text NOT NULL,
  user_id    text NOT NULL REFERENCES users ON DELETE CASCADE,
  email      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (provider, subject),
  UNIQUE (user_id, provider)
);

-- What the links in mails carry. A sign-up has no user yet: it brings the name and the password along.
CREATE TABLE one_time_tokens (
  hash          bytea PRIMARY KEY,
  purpose       text NOT NULL CHECK (purpose IN ('sign_up', 'reset')),
  user_id       text REFERENCES users ON DELETE CASCADE,
  email         text NOT NULL,
  name          text NOT NULL DEFAULT '',
  password_hash text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  expires_at    timestamptz NOT NULL,
  used_at       timestamptz
);

-- Attempts at signing in, by account and by address. An attempt counts before its outcome is known.
CREATE TABLE sign_in_attempts (
  bucket       text PRIMARY KEY,
  attempts     int NOT NULL,
  last_at      timestamptz NOT NULL,
  locked_until timestamptz
);

-- Keys that sign access tokens, sealed under a key that follows from the service's own secret.
CREATE TABLE signing_keys (
  id         text PRIMARY KEY,
  sealed     bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Keys of programs, as SHA-256.
CREATE TABLE api_keys (
  id           text PRIMARY KEY,
  user_id      text NOT NULL REFERENCES users ON DELETE CASCADE,
  name         text NOT NULL,
  hash         bytea NOT NULL UNIQUE,
  hint         text NOT NULL,
  scopes       text[] NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at   timestamptz
);

CREATE INDEX api_keys_of_user ON api_keys (user_id) WHERE revoked_at IS NULL;

-- Security-relevant acts. Nothing changes or deletes a row here.
CREATE TABLE audit_log (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT now(),
  act        text NOT NULL,
  outcome    text NOT NULL CHECK (outcome IN ('done', 'refused')),
  actor      text,
  subject    text,
  address    text NOT NULL DEFAULT '',
  request_id text NOT NULL DEFAULT '',
  detail     json NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_log_of_actor ON audit_log (actor, id DESC);
