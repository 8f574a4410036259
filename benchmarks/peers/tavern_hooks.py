"""What tavern's stage calls: the signed headers of a request, and the look at its answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from benchmarks.peers.signing import check, members, signed


def headers(url: str, seconds: str) -> dict[str, str]:
    """Return the signed headers of the request for so many `seconds`."""
    return signed(url, urlencode(members(int(seconds) - 900)).encode())


def granted(response: Any) -> None:
    """Hold an answer against what all tools ask of it."""
    check(response.status_code, response.content)


def stage(url: str, count: int) -> str:
    """Return the test file: one stage, parametrized."""
    seconds = ", ".join(members(number)["DurationSeconds"] for number in range(count))
    data = "\n".join(f"        {name}: '{value}'" for name, value in members(0).items() if name != "DurationSeconds")
    return f"""\
test_name: AssumeRole
marks:
  - parametrize: {{key: seconds, vals: [{seconds}]}}
stages:
  - name: assume a role
    request:
      url: {url}/
      method: POST
      data:
{data}
        DurationSeconds: "{{seconds}}"
      headers:
        $ext:
          function: benchmarks.peers.tavern_hooks:headers
          extra_kwargs: {{url: {url}/, seconds: "{{seconds}}"}}
    response:
      status_code: 200
      verify_response_with:
        - function: benchmarks.peers.tavern_hooks:granted
"""
