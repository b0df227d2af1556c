-- Pictures that users upload, to be sent with a prompt or a message.
CREATE TABLE images (
  id         text PRIMARY KEY,
  user_id    text NOT NULL,
  sha256     text NOT NULL REFERENCES blobs,
  media_type text NOT NULL,
  width      int  NOT NULL,
  height     int  NOT NULL,
  size       int  NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX images_of_user ON images (user_id, created_at);

-- Which message shows which pictures; the prompt's have the message id ''.
CREATE TABLE message_images (
  session_id text NOT NULL,
  message_id text NOT NULL,
  position   int  NOT NULL,
  image_id   text NOT NULL REFERENCES images,
  PRIMARY KEY (session_id, message_id, position)
);

CREATE INDEX message_images_of_image ON message_images (image_id);
