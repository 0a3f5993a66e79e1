"""Images: what their layers hold, read without unpacking, against the lock."""
