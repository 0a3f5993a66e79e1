"""Runs cells in a kernel: ``python kernel_drive.py KERNEL JSON-LIST``; a JSON line for each cell.

Run with a Python that has ``jupyter_client``.
"""

from __future__ import annotations

import json
import sys

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=60)
try:
    for code in json.loads(sys.argv[2]):
        said: list[str] = []

        def hear(message: dict[str, object], said: list[str] = said) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        reply = client.execute_interactive(code, output_hook=hear, timeout=60, allow_stdin=False)
        print(json.dumps({"status": reply["content"]["status"], "said": "".join(said)}))
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
