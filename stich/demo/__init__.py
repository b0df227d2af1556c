"""The demo model: a local server that speaks the OpenAI wire protocol and plays recorded sessions."""
