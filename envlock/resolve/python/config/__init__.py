"""uv's and pip's configuration, as far as it says where packages come from."""
