"""Where requests go: an endpoint's URL, taken apart once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from targets import aws

if TYPE_CHECKING:
    from targets.aws import Service

_PORTS = {"http": 80, "https": 443}
_HIGHEST_PORT = 65535
_LONGEST = 2048  # characters of a URL
_EXAMPLE = "expected a URL like http://127.0.0.1:4566"
_PLAIN = re.compile(r"[!-~]*")
_URL = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<authority>[^/]*)(?P<path>.*)")
_AUTHORITY = re.compile(r"(?:\[(?P<address>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?")
# Underscores are in no host name of the internet's, but in those of containers.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r"[0-9]{1,5}")
_WORDS = {aws.STS: "STS", aws.IAM: "IAM"}


class EndpointError(ValueError):
    """The URL cannot be an endpoint; the text says why and what would be right.

    It quotes no more than scheme, host and port, once these are known to be just that: a URL may hold a password.
    """


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
    def service(self) -> Service | None:
        """What AWS itself serves here, over TLS at the usual port; None: this is not AWS."""
        if (self.scheme, self.port, self.path) != ("https", _PORTS["https"], ""):
            return None
        return aws.service_at(self.host)

    @property
    def is_aws(self) -> bool:
        """Whether this is STS or IAM of AWS itself: the only place where ambient credentials may go."""
        return self.service is not None

    @property
    def partition(self) -> str:
        """The partition that ARNs name: aws, unless this is AWS in another."""
        return self.service.partition if self.service is not None else "aws"

    @property
    def iam_region(self) -> str:
        """The region that requests to IAM are signed for: the partition's own on AWS, us-east-1 elsewhere."""
        return self.service.region if self.service is not None else "us-east-1"


def parse_endpoint(url: str) -> Endpoint:
    """Read an http or https URL.

    Raises:
        EndpointError: not such a URL, credentials or a query in it, or a host of AWS's STS or IAM that is none.
    """
    scheme, authority, path = _parts(url)
    if scheme not in _PORTS:
        raise EndpointError(f"the URL has no http or https scheme; {_EXAMPLE}")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise EndpointError(f"the URL names no host; {_EXAMPLE}")
    host = _host(found["address"], found["name"])
    endpoint = Endpoint(scheme, host, _port(found["port"], scheme), path.rstrip("/"))
    claimed = aws.claims_service(host)
    if claimed and not endpoint.is_aws:
        raise EndpointError(_not_aws(endpoint, claimed))
    return endpoint


def _parts(url: str) -> tuple[str, str, str]:
    """Take a URL apart; urlsplit would drop tabs and newlines, and take backslashes for part of the host."""
    if not _PLAIN.fullmatch(url):
        raise EndpointError(
            f"the URL holds a space, a control character or a letter that is not ASCII; {_EXAMPLE}"
        )
    if "@" in url:
        raise EndpointError(
            "the URL holds credentials (an '@'); put them into a target file (docs/adding-a-target.md)"
        )
    if "?" in url or "#" in url:
        raise EndpointError("the URL has a query or fragment; expected scheme, host, port and path only")
    if "\\" in url:
        raise EndpointError(f"the URL holds a backslash; {_EXAMPLE}")
    if len(url) > _LONGEST:
        raise EndpointError(f"the URL has more than {_LONGEST} characters; {_EXAMPLE}")
    found = _URL.fullmatch(url)
    assert found is not None  # noqa: S101 - it takes any text on one line
    return (found["scheme"] or "").lower(), found["authority"], found["path"]


def _host(address: str | None, name: str | None) -> str:
    """Return a host in lower case."""
    if address is not None:
        try:
            found = IPv6Address(address)
        except ValueError:
            raise EndpointError("the URL names no host: no IPv6 address stands in the brackets") from None
        if found.scope_id is not None:
            raise EndpointError("the URL names an IPv6 address with a zone; expected one without")
        return str(found)
    lowered = (name or "").lower()
    if lowered.endswith(".") and _NAME.fullmatch(lowered[:-1]):
        raise EndpointError(f"the URL's host ends in a dot; expected '{lowered[:-1]}'")
    if not _NAME.fullmatch(lowered):
        raise EndpointError(f"the URL names no host; {_EXAMPLE}")
    return lowered


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return _PORTS[scheme]
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= _HIGHEST_PORT:
        raise EndpointError("the URL's port is none; expected 1 to 65535")
    return int(text)


def _not_aws(endpoint: Endpoint, claimed: str) -> str:
    """Say what is wrong with a URL in AWS's domains that looks like one of STS or IAM, and what would be right."""
    shown = f"'{endpoint.scheme}://{endpoint.authority}'"
    genuine = aws.service_at(endpoint.host)
    if genuine is None:
        labels = endpoint.host.split(".")
        region = next((label for label in labels if aws.partition_of(label)), None)
        region = region or aws.like(labels[1] if labels[0].startswith(claimed) else "")
        right = aws.sts_host(region) if claimed == aws.STS else aws.iam_host(aws.partition_of(region))
        return f"{shown} is called like AWS's {_WORDS[claimed]} and is none; expected one like https://{right}"
    right = f"expected https://{endpoint.host}"
    if endpoint.scheme != "https":
        return f"{shown} is AWS over plain http; {right}"
    if endpoint.port != _PORTS["https"]:
        return f"{shown} is AWS's {_WORDS[genuine.name]} at another port than 443; {right}"
    return f"{shown} is AWS's {_WORDS[genuine.name]}, with a path; {right}"
