"""Where requests go: an endpoint's URL, taken apart once."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_AWS_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


class EndpointError(ValueError):
    """The URL cannot be an endpoint; the text says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Scheme, host, port and path of an endpoint."""

    scheme: str
    host: str
    port: int
    path: str = ""  # in front of every request's path, without a slash at its end

    @property
    def authority(self) -> str:
        """What goes into the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def is_aws(self) -> bool:
        """Whether this is AWS itself, over TLS: the only place where ambient credentials may go."""
        return self.scheme == "https" and self.host.endswith(_AWS_SUFFIXES)


def parse_endpoint(url: str) -> Endpoint:
    """Read an http or https URL.

    Raises:
        EndpointError: not such a URL, credentials or a query in it, or plain http to AWS.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EndpointError(f"'{url}' is no URL ({error}); expected one like http://127.0.0.1:4566") from None
    if parts.scheme not in _PORTS:
        raise EndpointError(f"'{url}' has no http or https scheme; expected a URL like http://127.0.0.1:4566")
    if parts.username is not None or parts.password is not None:
        raise EndpointError("the URL holds credentials; put them into a target file (docs/adding-a-target.md)")
    if not parts.hostname or not _is_host(parts.hostname):
        raise EndpointError(f"'{url}' names no host; expected a URL like http://127.0.0.1:4566")
    if parts.query or parts.fragment:
        raise EndpointError(f"'{url}' has a query or fragment; expected scheme, host, port and path only")
    if port == 0:
        raise EndpointError(f"'{url}' has port 0; expected 1 to 65535")
    endpoint = Endpoint(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))
    if endpoint.scheme == "http" and endpoint.host.endswith(_AWS_SUFFIXES):
        raise EndpointError(f"'{url}' is AWS over plain http; expected https")
    return endpoint


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host.isascii() and all(c.isalnum() or c in "-._" for c in host) and not host.startswith(("-", "."))
    return True
