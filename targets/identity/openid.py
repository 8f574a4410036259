"""An OpenID Connect provider: discovery document and keys over HTTPS on loopback, and tokens, genuine or spoilt.

Sources: the API reference (AssumeRoleWithWebIdentity); the IAM User Guide, "OIDC federation" and "Pass session
tags in AWS STS"; RFC 7515 to 7519; OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import ssl
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from targets.identity.certificates import self_signed

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from cryptography.x509 import Certificate

Algorithm = Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

TAGS = "https://aws.amazon.com/tags"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
ATTACKER = "attacker"  # the subject of a token that was tampered with

_CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_DISCOVERY, _KEYS = "/.well-known/openid-configuration", "/keys"
_DRIP = 0.1  # seconds between the bytes of an answer that drips


class Spoilt(StrEnum):
    """What is done to a token that would otherwise be good. A target must refuse all of them."""

    NOT_JWT = "not-jwt"  # an opaque access token
    TRUNCATED = "truncated"  # header and claims without a signature part
    UNSIGNED = "unsigned"  # an empty signature under the genuine algorithm's name
    ALG_NONE = "alg-none"
    ALG_NONE_DISGUISED = "alg-none-disguised"  # "nOnE"
    HMAC = "hmac"  # HS256 with the public key as its secret
    FOREIGN_KEY = "foreign-key"  # signed with another key under the genuine key's id
    EMBEDDED_KEY = "embedded-key"  # the same, with that key in the header
    UNKNOWN_KEY_ID = "unknown-key-id"  # signed with a key that is not published
    TAMPERED = "tampered"  # the subject is changed after signing
    UNKNOWN_CRITICAL = "unknown-critical"  # a header that must be understood and cannot be


class Behaviour(StrEnum):
    """How the issuer's server answers."""

    GOOD = "good"
    NOT_FOUND = "not-found"  # the genuine documents, with status 404
    REDIRECTS = "redirects"  # to where the genuine documents are
    NOT_JSON = "not-json"
    HUGE = "huge"  # the genuine documents, with a megabyte of padding
    SILENT = "silent"  # no answer until the issuer is stopped
    DRIPS = "drips"  # a byte every tenth of a second, without end
    OTHER_ISSUER = "other-issuer"  # the discovery document names another
    KEYS_ELSEWHERE = "keys-elsewhere"  # the keys are said to be on another machine
    NO_KEYS = "no-keys"  # the key set is empty
    ODD_KEYS = "odd-keys"  # the key set is none: a number stands in its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token claims. Unless told otherwise it is good; None leaves an optional claim out."""

    subject: str = "sts-conformance"
    audience: str | tuple[str, ...] = "sts-conformance"
    issuer: str | None = None  # None: the issuer's URL
    issued: datetime | None = None  # None: now
    lasts: timedelta = timedelta(minutes=15)  # exp, after `issued`
    begins: timedelta | None = None  # nbf, after `issued`
    methods: tuple[str, ...] = ()  # amr
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()  # claims to leave out: iss, sub, aud, iat, exp
    more: tuple[tuple[str, object], ...] = ()  # further claims, or other values for those above; as JSON takes them
    algorithm: Algorithm | None = None  # None: the issuer's own
    key_id: bool = True  # whether the header has a kid
    spoilt: Spoilt | None = None


class CannotSign(Exception):  # noqa: N818 - the name says what an issuer cannot
    """A restored issuer has no key for an algorithm; the text is one line."""


class OpenIdIssuer:
    """An issuer with keys of its own, made when they are first needed, and a server in a thread.

    Use it as a context manager, or start and stop it. Its URL is known from the start on, and stays known.
    """

    def __init__(
        self,
        host: Literal["127.0.0.1", "localhost"] = "localhost",
        path: str = "",
        *,
        port: int = 0,
        tls: tuple[ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, Certificate] | None = None,
    ) -> None:
        """Make an issuer that serves on `port`, 0 for a free one.

        `path`, beginning with a slash, becomes part of the URL: as issuers with many tenants do it. `tls` is the
        server's key with its certificate, for targets that know it already; None: a self-signed one is made.
        """
        self.behaviour = Behaviour.GOOD
        self.algorithm: Algorithm = "RS256"  # of tokens that name none
        self.requests: list[str] = []  # paths that were asked for
        self.stopped = threading.Event()
        self._host, self._path = host, path
        self._wanted_port = port
        self._port: int | None = None
        # Targets remember keys by their ids, some beyond the end of a run: no two issuers have an id in common.
        self._mark = secrets.token_hex(4)
        if tls is not None:
            self.__dict__["_server_key"], self.__dict__["_certificate"] = tls
        self._server: _Server | None = None
        self._url = ""
        self._keys: dict[str, PrivateKey] = {}  # by key id
        self._key_ids: dict[str, str] = {}  # by algorithm, of keys that somebody else publishes
        self._generation = 1

    def saved(self) -> dict[str, str]:
        """Return what `restored` needs, the secret keys included."""
        for algorithm in get_args(Algorithm):
            if self.signs(algorithm):
                self._key(algorithm)
        texts = {
            f"{_kind(key)} {key_id}": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            for key_id, key in self._keys.items()
        }
        return {"url": self.url, "algorithm": self.algorithm} | texts

    @classmethod
    def restored(cls, saved: dict[str, str]) -> OpenIdIssuer:
        """Return an issuer that cannot be started: its keys are published elsewhere.

        `saved`: its URL, the algorithm of tokens that name none, and its keys in PEM, each under 'ALGORITHM KEY-ID'
        (all RSA algorithms: 'RSA KEY-ID'). ValueError if a key is no RSA or elliptic curve key.
        """
        issuer = cls()
        issuer._url = saved["url"]
        for name in saved.keys() - {"url", "algorithm"}:
            kind, _, key_id = name.partition(" ")
            issuer._keys[key_id], issuer._key_ids[kind] = private_key(saved[name]), key_id
        algorithm = saved.get("algorithm", issuer.algorithm)
        issuer.algorithm = next(known for known in get_args(Algorithm) if known == algorithm)
        return issuer

    def signs(self, algorithm: Algorithm | None) -> bool:
        """Tell whether there is a key for an algorithm, or can be; None: the issuer's own."""
        return not self._url or _kind_of(algorithm or self.algorithm) in self._key_ids

    def start(self) -> None:
        """Begin to serve on 127.0.0.1. OSError if the port is taken."""
        if self._server is not None:
            raise RuntimeError("the issuer is started already")
        self.stopped.clear()
        self._server = _Server(self, self._tls(), self._wanted_port)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving; connections are refused from now on."""
        self.stopped.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The issuer's URL, https://HOST:PORT/PATH. RuntimeError before the first start."""
        if self._url:
            return self._url
        if self._port is None:
            raise RuntimeError("the issuer was never started: it has no URL")
        return f"https://{self._host}:{self._port}{self._path}"

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the server's certificate, 40 hex digits, as CreateOpenIDConnectProvider takes it."""
        return self._certificate.fingerprint(SHA1()).hex()  # noqa: S303 - IAM's thumbprints are SHA-1

    @property
    def certificate_pem(self) -> str:
        """The server's certificate, for the trust store of a target that goes by authorities, not by thumbprints."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    def rotate(self) -> None:
        """Sign with new keys from now on, and publish the old ones no more."""
        self._generation += 1
        self._keys.clear()

    def token(self, what: Token | None = None) -> str:
        """Return a token, the WebIdentityToken parameter."""
        what = what or Token()
        if what.spoilt is Spoilt.NOT_JWT:
            return "ya29." + base64.urlsafe_b64encode(hashlib.sha512(b"opaque").digest()).decode().rstrip("=")
        algorithm = what.algorithm or self.algorithm
        kid, key = self._key(algorithm)
        header: dict[str, Any] = {"kid": kid} if what.key_id else {}
        if what.spoilt in _WITH_ANOTHER_KEY:
            key = _new_key(algorithm)
        if what.spoilt is Spoilt.UNKNOWN_KEY_ID:
            header["kid"] = "unknown"
        if what.spoilt is Spoilt.EMBEDDED_KEY:
            header["jwk"] = _jwk(key)
        if what.spoilt is Spoilt.UNKNOWN_CRITICAL:
            header |= {"crit": ["sts-conformance"], "sts-conformance": True}
        claims = self._claims(what)
        if what.spoilt in _OTHER_ALGORITHM:
            return _sealed({**header, "alg": _OTHER_ALGORITHM[what.spoilt], "typ": "JWT"}, claims, key)
        genuine = jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm, header)
        return _spoilt(genuine, claims, what.spoilt)

    def documents(self) -> Mapping[str, dict[str, Any]]:
        """Return what is served, by path: the discovery document and the key set."""
        elsewhere = self.behaviour is Behaviour.KEYS_ELSEWHERE
        published = {} if self.behaviour is Behaviour.NO_KEYS else dict(self._keys)
        about: dict[str, Any] = {
            "issuer": "https://other.example.com" if self.behaviour is Behaviour.OTHER_ISSUER else self.url,
            # 192.0.2.0/24 is for documentation: nobody is there (RFC 5737).
            "jwks_uri": f"https://192.0.2.1{_KEYS}" if elsewhere else self.url + _KEYS,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        if self.behaviour is Behaviour.HUGE:
            about["padding"] = "x" * 1_100_000
        keys = [_jwk(key) | {"kid": kid, "use": "sig"} for kid, key in published.items()]
        odd = self.behaviour is Behaviour.ODD_KEYS
        return {self._path + _DISCOVERY: about, self._path + _KEYS: {"keys": 7 if odd else keys}}

    def _key(self, algorithm: Algorithm) -> tuple[str, PrivateKey]:
        """Return the key for an algorithm with its id; the RSA algorithms share one.

        Raises:
            CannotSign: the keys are published elsewhere, and none of them is for this algorithm.
        """
        if not self.signs(algorithm):
            raise CannotSign(f"the OpenID Connect provider {self._url} has no key that signs {algorithm}")
        kind = _kind_of(algorithm)
        kid = self._key_ids.get(kind, f"{kind}-{self._mark}-{self._generation}")
        if kid not in self._keys:
            self._keys[kid] = _new_key(algorithm)
        return kid, self._keys[kid]

    def _claims(self, what: Token) -> dict[str, object]:
        issued = what.issued or datetime.now(UTC)
        tags = {
            "principal_tags": {key: [value] for key, value in what.tags},
            "transitive_tag_keys": [*what.transitive],
        }
        claims: dict[str, object] = {
            "iss": what.issuer if what.issuer is not None else self.url,
            "sub": what.subject,
            "aud": what.audience if isinstance(what.audience, str) else list(what.audience),
            "iat": int(issued.timestamp()),
            "exp": int((issued + what.lasts).timestamp()),
        }
        if what.begins is not None:
            claims["nbf"] = int((issued + what.begins).timestamp())
        if what.methods:
            claims["amr"] = list(what.methods)
        if what.source_identity is not None:
            claims[SOURCE_IDENTITY] = what.source_identity
        if what.tags or what.transitive:
            claims[TAGS] = tags
        return {name: value for name, value in claims.items() if name not in what.without} | dict(what.more)

    @cached_property
    def _server_key(self) -> PrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def _certificate(self) -> Certificate:
        return self_signed(self._server_key, "localhost", addresses=("127.0.0.1",))

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # ssl reads keys from files only; nobody else may
            file.write(self._server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.write(self._certificate.public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context


# Keys and tokens

_WITH_ANOTHER_KEY = frozenset({Spoilt.FOREIGN_KEY, Spoilt.EMBEDDED_KEY, Spoilt.UNKNOWN_KEY_ID})
_OTHER_ALGORITHM = {Spoilt.ALG_NONE: "none", Spoilt.ALG_NONE_DISGUISED: "nOnE", Spoilt.HMAC: "HS256"}


def private_key(pem: str) -> PrivateKey:
    """Return a key that tokens can be signed with. ValueError if `pem` holds none."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:  # locked with a password; of a kind that nobody knows
        raise ValueError(str(error)) from None
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise ValueError("found another kind of key, expected an RSA or an elliptic curve key")  # noqa: TRY004
    return key


def algorithms(key: PrivateKey) -> tuple[Algorithm, ...]:
    """Return the algorithms that a key signs; none for an elliptic curve that JSON web tokens do not use."""
    kind = _kind(key)
    return tuple(algorithm for algorithm in get_args(Algorithm) if _kind_of(algorithm) == kind)


def _kind_of(algorithm: Algorithm) -> str:
    """Name the keys that sign an algorithm: all RSA algorithms are signed with the same."""
    return algorithm if algorithm in _CURVES else "RSA"


def _kind(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return next((name for name, curve in _CURVES.items() if curve.name == key.curve.name), key.curve.name)


def _new_key(algorithm: Algorithm) -> PrivateKey:
    curve = _CURVES.get(algorithm)
    return rsa.generate_private_key(65537, 2048) if curve is None else ec.generate_private_key(curve)


def _jwk(key: PrivateKey) -> dict[str, Any]:
    """Return the public half as a JSON web key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)


def _sealed(header: dict[str, Any], claims: dict[str, object], key: PrivateKey) -> str:
    """Return a token with an algorithm that no library would sign with: none, or a public key as a shared secret."""
    text = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
    secret = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = hmac.digest(secret, text.encode(), "sha256") if header["alg"] == "HS256" else b""
    return f"{text}.{_base64(signature)}"


def _spoilt(token: str, claims: dict[str, object], spoilt: Spoilt | None) -> str:
    """Return a signed token with a part of it changed."""
    header, payload, signature = token.split(".")
    match spoilt:
        case Spoilt.TAMPERED:
            return ".".join((header, _base64(json.dumps(claims | {"sub": ATTACKER}).encode()), signature))
        case Spoilt.TRUNCATED:
            return f"{header}.{payload}"
        case Spoilt.UNSIGNED:
            return f"{header}.{payload}."
        case _:
            return token


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# The server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, issuer: OpenIdIssuer, context: ssl.SSLContext, port: int) -> None:
        self.issuer = issuer
        self._context = context
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the handshake is left to its thread, so that nobody keeps others waiting."""
        connection, address = super().get_request()
        connection.settimeout(30.0)
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that turn the certificate down hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer as the issuer behaves."""
        issuer = self.server.issuer
        issuer.requests.append(self.path)
        match issuer.behaviour:
            case Behaviour.REDIRECTS if not self.path.startswith("/moved"):
                self._send(302, b"", location=f"/moved{self.path}")
            case Behaviour.NOT_JSON:
                self._send(200, b"<html>")
            case Behaviour.SILENT:
                issuer.stopped.wait(30.0)
            case Behaviour.DRIPS:
                self._drip()
            case _:
                document = issuer.documents().get(self.path.removeprefix("/moved"))
                found = document is not None and issuer.behaviour is not Behaviour.NOT_FOUND
                self._send(200 if found else 404, json.dumps(document or {}).encode())

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"content-type": "application/json", "content-length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for byte in self._endless():
                self.wfile.write(byte)
                time.sleep(_DRIP)

    def _endless(self) -> Iterator[bytes]:
        while not self.server.issuer.stopped.is_set():
            yield b" "

    def log_message(self, *_: object) -> None:
        """Say nothing."""
