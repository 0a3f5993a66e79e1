"""The registry of codes: what each means, how it comes about, what to do."""
