-- Which text a message's id was first used for, from before the session takes the message: the id of one cannot be used
-- again for another, also while no worker runs.
CREATE TABLE message_ids (
  session_id text  NOT NULL,
  id         text  NOT NULL,
  sha256     bytea NOT NULL,   -- of the text
  PRIMARY KEY (session_id, id)
);
