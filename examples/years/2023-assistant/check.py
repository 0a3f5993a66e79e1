"""What is sent to a language model, made ready and not sent."""

import openai

openai.api_key = "none"
assert openai.ChatCompletion.OBJECT_NAME == "chat.completions"
assert issubclass(openai.error.RateLimitError, openai.error.OpenAIError)
