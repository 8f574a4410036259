"""Run a module for as long as whoever started it lives: `python -m targets.tether MODULE [ARGUMENT ...]`.

The starter holds the other end of our standard input. It ends with the starter, however that ended: SIGKILL
leaves nobody to stop a server politely.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading


def main() -> None:
    """Watch standard input in the background, and become the module."""
    threading.Thread(target=_watch, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _watch() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
