"""A client is made; openai is pinned, httpx is not."""

import openai

client = openai.OpenAI(api_key="none")
assert client.max_retries == 2
