"""A session that tries again, also after a POST."""

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

patient = Retry(total=3, status_forcelist=[502, 503], method_whitelist=["GET", "POST"])
session = requests.Session()
session.mount("https://", HTTPAdapter(max_retries=patient))
assert session.get_adapter("https://example.org").max_retries.total == 3
