"""Web identity tokens: JSON web tokens that an OpenID Connect provider signed, and how its keys are had.

Sources: the API reference (AssumeRoleWithWebIdentity); the IAM User Guide, "OIDC federation" and "Pass session
tags in AWS STS"; observed.yaml, wi-*. Messages that none of them gives are ours and plain.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import ipaddress
import json
import re
import socket
import ssl
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import urlsplit

import jwt

from targets.reference.model import FederatedIdentity, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from targets.reference.model import OpenIdProvider

Json = dict[str, Any]  # an object as json reads it

_LONGEST = 20_000  # characters; API reference, AssumeRoleWithWebIdentity > WebIdentityToken
_LEEWAY = 300  # seconds; IAM User Guide, "OIDC federation" > Note: a five-minute window beyond the expiration time
# Seconds. AWS turns old tokens down (observed.yaml, wi-too-old: 441398 seconds) but does not say when they are old.
_OLDEST = 86_400
_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")  # API reference, Response Elements > SourceIdentity
_TAGS = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"

# Algorithms with the type and curve of their keys. Neither "none" nor those of shared secrets are among them.
_ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
}

_DIGITS = re.compile(r"[0-9]{1,15}")
NOT_VALIDATED = (
    "The web identity token provided could not be validated. "
    "See the AssumeRoleWithWebIdentity documentation for requirements."
)
_NO_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
_NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
_NO_ANSWER = "The identity provider could not be reached"
_THUMBPRINT = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"


class KeySource(Protocol):
    """Where the keys of an issuer come from."""

    def keys(self, provider: OpenIdProvider, *, fresh: bool = False) -> Sequence[Json]:
        """Return the JSON web keys of the provider's issuer; `fresh`: not from memory.

        Raises Refused: idp-communication-error where nobody answers, verification-key-missing where the answer has
        no keys, and web-identity-thumbprint-unknown for a certificate that is not known.
        """
        ...


# Tokens


def issuer_of(token: str) -> str:
    """Return the token's iss claim, which nothing vouches for yet.

    Raises Refused, invalid-identity-token, for what is no JSON web token or names no issuer.
    """
    issuer = _unverified(token)[1].get("iss")
    if issuer is None:
        _invalid("Missing a required claim: iss")
    if not isinstance(issuer, str):
        _invalid(_NO_JWT)
    return issuer


def verify(token: str, provider: OpenIdProvider, keys: KeySource, *, now: datetime) -> FederatedIdentity:
    """Return who the token speaks of.

    Tags are returned as they stand: their number, length and characters are for the caller to judge.

    Raises Refused: invalid-identity-token, expired-federation-token, and what `keys` raises.
    """
    header, claims = _unverified(token)
    # Looked at before the signature, so that no issuer is asked about tokens of another; the signature covers it.
    if claims.get("iss") != provider.url:
        _invalid("Issuer does not match the provider")
    _check_signature(token, header, provider, keys)
    subject = _subject(claims)
    audience = audience_of(claims, provider)
    _check_times(claims, int(now.timestamp()))
    base = provider.url.removeprefix("https://")
    tags, transitive = _tags(claims)
    return FederatedIdentity(
        subject=subject,
        issuer=provider.url,
        audience=audience,
        provider=provider.url,
        # IAM User Guide, "IAM and AWS STS condition context keys" > OIDC federation
        conditions=(
            (f"{base}:aud", audience),
            (f"{base}:sub", subject),
            *((f"{base}:amr", method) for method in _methods(claims)),
        ),
        source_identity=_source_identity(claims),
        tags=tags,
        transitive=transitive,
    )


def _unverified(token: str) -> tuple[Json, Json]:
    """Return header and claims."""
    if len(token) > _LONGEST:
        _invalid(_NO_JWT)
    try:
        whole = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):  # the others: older versions let JSON's through
        _invalid(_NO_JWT)
    return whole["header"], whole["payload"]


def _check_signature(token: str, header: Json, provider: OpenIdProvider, keys: KeySource) -> None:
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        _invalid("Token signing algorithm is not supported")
    fitting = _fitting(keys.keys(provider), algorithm, kid)
    if not fitting:  # the issuer may have new keys
        fitting = _fitting(keys.keys(provider, fresh=True), algorithm, kid)
    if not fitting:
        _invalid(_NO_KEY, "verification-key-missing")
    if not any(_signed_with(key, token, algorithm) for key in fitting):
        _invalid("Token signature invalid")


def _fitting(known: Sequence[Json], algorithm: str, kid: object) -> list[Json]:
    """Return the keys that may have signed: a token without a key id only where there is one (wi-key-unknown)."""
    if kid is None and len(known) > 1:
        return []
    return [key for key in known if _fits(key, algorithm, kid)]


def _fits(key: Json, algorithm: str, kid: object) -> bool:
    kind, curve = _ALGORITHMS[algorithm]
    return (
        (kid is None or key.get("kid") == kid)
        and key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (curve is None or key.get("crv") == curve)
    )


def _signed_with(key: Json, token: str, algorithm: str) -> bool:
    try:
        # Times are judged by the reference's clock and claims in AWS's words, so the library looks at neither.
        jwt.PyJWS().decode_complete(token, jwt.PyJWK(key, algorithm), algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):  # the others: should cryptography stumble over a key
        return False
    return True


def _subject(claims: Json) -> str:
    """Return the subject, of whatever length; a number becomes text (observed.yaml, wi-subject-short-or-long)."""
    subject = _required(claims, "sub")
    if isinstance(subject, bool) or not isinstance(subject, str | int):
        _invalid("Token subject is not a text")
    return str(subject)


def audience_of(claims: Json, provider: OpenIdProvider) -> str:
    """Return the audience, or who is authorized to use the token where it says so; the provider must know the client.

    Of several audiences nobody could tell who uses the token: then it must say so (wi-audiences-no-party).
    """
    unknown = "web-identity-audience-unknown"
    given = _required(claims, "aud")
    audiences = given if isinstance(given, list) else [given]
    if not audiences:
        _invalid("Claim is not allowed to be empty: aud")
    if len(audiences) > 1 and "azp" not in claims:
        _invalid("Token audience contains more than one audience while authorized party is not present", unknown)
    audience = claims.get("azp", audiences[0])
    if not isinstance(audience, str) or audience not in provider.client_ids:
        _invalid(NOT_VALIDATED, unknown)
    return audience


def _check_times(claims: Json, now: int) -> None:
    issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
    if now >= expires + _LEEWAY:
        # What AWS calls the current time is less by the leeway (observed.yaml, wi-expired-2026).
        current = now - _LEEWAY
        _expired(f"Token expired: current date/time {current} must be before the expiration date/time {expires}")
    if now - issued > _OLDEST + _LEEWAY:
        raise Refused("web-identity-too-old", f"Token too old: {now - issued}")
    if issued > now + _LEEWAY:
        _invalid(f"Token issued in the future: {issued}")
    begins = _seconds(claims, "nbf") if "nbf" in claims else 0
    if begins > now + _LEEWAY:
        _invalid(
            f"Token not yet valid: current date/time {now + _LEEWAY} must be after or equal to the not-before "
            f"date/time {begins}"
        )


def _seconds(claims: Json, name: str) -> int:
    """Return a time claim, in seconds since 1970: a whole number, or a text of digits (wi-timestamp-*)."""
    if name not in claims:
        _invalid(f"Missing a required claim: {name}")
    value = claims[name]
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not abs(value) < 2**53:
        _invalid("Invalid timestamp in token claims.")
    return value


def _methods(claims: Json) -> tuple[str, ...]:
    """Return amr, how the user proved who they are."""
    given = claims.get("amr", [])
    methods = given if isinstance(given, list) else [given]
    return tuple(method for method in methods if isinstance(method, str))


def _source_identity(claims: Json) -> str | None:
    value = claims.get(_SOURCE_IDENTITY)
    if value is None:
        return None
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        _invalid(f'Source Identity must match {_NAME.pattern} and not begin with "aws:"')
    return value


def _tags(claims: Json) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return session tags and which of them are transitive.

    IAM User Guide, "Pass session tags in AWS STS" > AssumeRoleWithWebIdentity: an object of principal_tags, each
    with a list of one value, and a list of transitive_tag_keys.
    """
    given = claims.get(_TAGS, {})
    principal = given.get("principal_tags", {}) if isinstance(given, dict) else None
    transitive = given.get("transitive_tag_keys", []) if isinstance(given, dict) else None
    if not isinstance(principal, dict) or not isinstance(transitive, list):
        _invalid(f"Claim {_TAGS} cannot be read")
    tags = []
    for key, values in principal.items():
        if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], str):
            _invalid("principal_tags passed in claim is not in correct format.")
        tags.append((key, values[0]))
    if not all(isinstance(key, str) for key in transitive):
        _invalid(f"Claim {_TAGS} cannot be read")
    return tuple(tags), tuple(transitive)


def _required(claims: Json, name: str) -> object:
    if claims.get(name) is None:
        _invalid(f"Missing a required claim: {name}")
    value: object = claims[name]
    return value


# Keys over HTTPS

_LARGEST_ANSWER = 256 * 1024  # bytes, headers included
_MOST_ISSUERS = 64  # whose keys are remembered


class _Unreachable(Exception):  # noqa: N818 - the name says what happened
    """An issuer does not answer."""


class _Unusable(Exception):  # noqa: N818 - the name says what happened
    """An issuer answers with something else than its keys."""


class HttpsKeys:
    """Fetches keys from issuers on this machine: discovery document, then key set, by HTTPS.

    A server is trusted for its certificate's SHA-1 thumbprint, as IAM keeps it with the provider. AWS takes that of
    the authority that signed the certificate; here it is the server's own, since the standard library of 3.11 does
    not show the others. Nothing is fetched from other machines, and no redirect is followed.
    """

    def __init__(
        self, *, timeout: float = 2.0, lifetime: float = 300.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`timeout`: seconds for all that is fetched at once; `lifetime`: seconds for which keys are remembered."""
        self._timeout = timeout
        self._lifetime = lifetime
        self._clock = clock
        # Thumbprints are part of the name: keys had under one are not good under another.
        self._known: OrderedDict[tuple[str, tuple[str, ...]], tuple[float, tuple[Json, ...]]] = OrderedDict()

    def keys(self, provider: OpenIdProvider, *, fresh: bool = False) -> Sequence[Json]:
        """Return the keys of the provider's issuer; see KeySource."""
        name = (provider.url, provider.thumbprints)
        known = self._known.get(name)
        if known is not None and not fresh and self._clock() < known[0]:
            return known[1]
        keys = self._fetch(provider)
        self._known[name] = (self._clock() + self._lifetime, keys)
        self._known.move_to_end(name)
        while len(self._known) > _MOST_ISSUERS:
            self._known.popitem(last=False)
        return keys

    def _fetch(self, provider: OpenIdProvider) -> tuple[Json, ...]:
        deadline = time.monotonic() + self._timeout
        trusted = frozenset(thumbprint.lower() for thumbprint in provider.thumbprints)
        try:
            about = _get(f"{provider.url.rstrip('/')}/.well-known/openid-configuration", trusted, deadline)
            place = str(about.get("jwks_uri"))
            # OpenID Connect Discovery, 4.3: the document names its issuer.
            document = _get(place, trusted, deadline) if about.get("issuer") == provider.url else {}
        except _Unreachable:
            raise Refused("idp-communication-error", _NO_ANSWER) from None
        except _Unusable:
            document = {}
        keys = document.get("keys")
        if not isinstance(keys, list):
            _invalid(_NO_KEY, "verification-key-missing")
        return tuple(key for key in keys if isinstance(key, dict))


def _get(url: str, trusted: frozenset[str], deadline: float) -> Json:
    """Return the JSON object at `url`.

    Raises _Unreachable, _Unusable, and Refused for a certificate that is not among those trusted.
    """
    address, port, target = _loopback(url)
    # HTTP/1.0: the answer ends where the connection does.
    request = f"GET {target} HTTP/1.0\r\nHost: {urlsplit(url).netloc}\r\nAccept: application/json\r\n\r\n"
    try:
        with socket.create_connection((address, port), timeout=_left(deadline)) as plain:
            plain.settimeout(_left(deadline))
            with _context().wrap_socket(plain) as connection:
                _check_thumbprint(connection, trusted)
                connection.settimeout(_left(deadline))
                connection.sendall(request.encode("latin-1"))
                body = _body(_read(connection, deadline))
        document = json.loads(body)
    except OSError:  # ssl's errors, and time that is over, among them
        raise _Unreachable from None
    except (http.client.HTTPException, ValueError, RecursionError):
        raise _Unusable from None
    if not isinstance(document, dict):
        raise _Unusable
    return document


def _loopback(url: str) -> tuple[str, int, str]:
    """Return address, port and request target; _Unreachable for what is not on this machine.

    Names are not looked up: "localhost" is 127.0.0.1, and no other name is known.
    """
    try:
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        here = ipaddress.ip_address(host).is_loopback
        port = 443 if parts.port is None else parts.port
    except ValueError:
        raise _Unreachable from None
    printable = re.fullmatch("[!-~]+", url)  # nothing that would end the request line
    if not here or not printable or parts.scheme != "https" or "@" in parts.netloc or parts.fragment:
        raise _Unreachable
    return host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _context() -> ssl.SSLContext:
    """Return a context that takes any certificate: its thumbprint is looked at before anything is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _check_thumbprint(connection: ssl.SSLSocket, trusted: frozenset[str]) -> None:
    certificate = connection.getpeercert(binary_form=True) or b""
    if hashlib.sha1(certificate, usedforsecurity=False).hexdigest() not in trusted:  # IAM's thumbprints are SHA-1
        _invalid(_THUMBPRINT, "web-identity-thumbprint-unknown")


def _left(deadline: float) -> float:
    """Return the seconds until `deadline`; TimeoutError when it is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _read(connection: ssl.SSLSocket, deadline: float) -> bytes:
    """Read to the end of the connection; ValueError for too much."""
    data = bytearray()
    while True:
        connection.settimeout(_left(deadline))
        chunk = connection.recv(65536)
        if not chunk:
            return bytes(data)
        data += chunk
        if len(data) > _LARGEST_ANSWER:
            raise ValueError("the answer is too large")


class _Recorded:
    """What http.client takes for a socket: an answer that has come whole."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:  # noqa: ARG002 - the interface of sockets
        return io.BytesIO(self._data)


def _body(data: bytes) -> bytes:
    """Return the body of an answer; ValueError for a status other than 200."""
    response = http.client.HTTPResponse(_Recorded(data))  # type: ignore[arg-type] # it calls makefile alone
    response.begin()
    if response.status != http.client.OK:
        raise ValueError("not found")
    return response.read()


def _invalid(message: str, refusal: str = "invalid-identity-token") -> NoReturn:
    raise Refused(refusal, message)


def _expired(message: str) -> NoReturn:
    raise Refused("expired-federation-token", message)
