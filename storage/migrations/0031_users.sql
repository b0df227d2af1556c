-- People. The e-mail address is kept in lower case; a user without one is the single user of a local installation.
CREATE TABLE users (
  id            text PRIMARY KEY,
  email         text UNIQUE,
  name          text NOT NULL DEFAULT '',
  role          text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'operator')),
  password_hash text,
  disabled_at   timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now()
);

INSERT INTO users (id, role) VALUES ('local', 'operator');
