"""What a target file gives instead of its being made: roles, users and policies, and identity providers with keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificate

from generators import everything
from specs.loader import SpecError, read_text
from targets.credentials import Credentials
from targets.fixtures import SEED_BITS, is_seed
from targets.identity.openid import OpenIdIssuer, algorithms, private_key
from targets.identity.saml import SamlIssuer
from targets.profile import mistake, refuse_unusable, secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cryptography.x509 import Certificate

    from generators.case import Fixture
    from targets.identity.openid import PrivateKey
    from targets.profile import FixtureSpec, MfaSpec, OpenIdProviderSpec, SamlProviderSpec, TargetFile

LISTED = "python -m targets.fixtures lists what cases need"
_PROVIDERS = {"saml": "saml-provider", "openid": "openid-provider"}
_ACCOUNT = re.compile(r"arn:[\w-]*:[\w-]*:[\w-]*:(\d{12}):", re.ASCII)
_ARN = re.compile(r"arn:[^:\s]*:iam:[^:\s]*:[^:\s]*:saml-provider/\S+", re.ASCII)
_LONGEST_NAME = 100  # characters of a file's; a private key in PEM has more
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True, slots=True)
class SuppliedFixture:
    """A role, user or policy that is there already."""

    arn: str
    account: str  # 'first' or 'second', as the fixture wants it
    id: str = ""
    access_key_id: str = ""
    keys: Credentials | None = None  # of users, if their secret is known
    device: str = ""  # serial number
    seed: str = field(default="", repr=False)  # base32

    @property
    def name(self) -> str:
        """What follows the path in the ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def account_id(self) -> str:
        """The twelve digits in the ARN, '' if there are none."""
        found = _ACCOUNT.match(self.arn)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class SuppliedSaml:
    """A SAML identity provider whose key the user has."""

    issuer: SamlIssuer
    arn: str = ""  # '': it is to be registered


@dataclass(frozen=True, slots=True)
class SuppliedOpenId:
    """An OpenID Connect provider: the user's, or one that is served where the target expects it."""

    issuer: OpenIdIssuer
    audience: str
    arn: str = ""  # '': it is to be registered
    served: bool = False  # by the run
    thumbprint: str = ""  # of the user's


@dataclass(frozen=True, slots=True)
class Supplied:
    """All of it."""

    fixtures: Mapping[str, SuppliedFixture] = field(default_factory=dict)
    saml: SuppliedSaml | None = None
    openid: SuppliedOpenId | None = None

    @property
    def second_account_id(self) -> str:
        """The account of what is given in the second account, '' if nothing is."""
        return next((one.account_id for one in self.fixtures.values() if one.account == "second"), "")

    def secrets(self) -> Iterator[str]:
        """Yield what must not be shown."""
        for fixture in self.fixtures.values():
            yield from (fixture.keys.secret_access_key if fixture.keys else "", fixture.seed)


def read_supplied(file: TargetFile, path: Path) -> Supplied:
    """Return what a target file gives; raises SpecError with file and line."""
    return Supplied(
        fixtures=_fixtures(file, path),
        saml=_saml(file.saml_provider, path) if file.saml_provider is not None else None,
        openid=_openid(file.openid_provider, path) if file.openid_provider is not None else None,
    )


# Roles, users, policies


def _fixtures(file: TargetFile, path: Path) -> dict[str, SuppliedFixture]:
    if not file.fixtures:
        return {}
    known = {fixture.key: fixture for case in everything.cases() for fixture in case.fixtures}
    found: dict[str, SuppliedFixture] = {}
    for key, spec in file.fixtures.items():
        place = ("fixtures", key)
        if key not in known:
            raise mistake(path, place, f"no case needs this, expected a key of another: {LISTED}")
        found[key] = _fixture(known[key], spec, path, place)
    return found


def _fixture(fixture: Fixture, spec: FixtureSpec, path: Path, place: tuple[str, ...]) -> SuppliedFixture:
    if fixture.kind in _PROVIDERS:
        raise mistake(path, place, f"is an identity provider, expected it as {_PROVIDERS[fixture.kind]}")
    if fixture.removed:
        raise mistake(path, place, "is removed in the middle of a run, expected it not to be given")
    key_id = secret(path, place, spec, "access_key_id") or ""
    hidden = secret(path, place, spec, "secret_access_key") or ""
    if fixture.kind != "user" and (key_id or hidden or spec.mfa):
        raise mistake(path, place, f"is a {fixture.kind}, expected neither keys nor mfa: only users have them")
    if fixture.kind == "user" and not key_id:
        raise mistake(path, place, "is a user, expected its access-key-id")
    if fixture.kind == "user" and not hidden and fixture.keys == "active":
        raise mistake(path, place, "is a user that calls, expected its secret-access-key")
    if fixture.mfa != (spec.mfa is not None):
        wanted = "its mfa: serial-number and seed" if fixture.mfa else "no mfa: cases want it to have none"
        raise mistake(path, place, f"expected {wanted}")
    keys = Credentials(key_id, hidden) if hidden else None
    refuse_unusable(path, place, spec, keys or Credentials(key_id or "none", ""))
    return SuppliedFixture(
        arn=spec.arn,
        account=fixture.account,
        id=spec.id or "",
        access_key_id=key_id,
        keys=keys,
        device=spec.mfa.serial_number if spec.mfa else "",
        seed=_seed(spec.mfa, path, place) if spec.mfa else "",
    )


def _seed(spec: MfaSpec, path: Path, place: tuple[str, ...]) -> str:
    seed = (secret(path, (*place, "mfa"), spec, "seed") or "").replace(" ", "").upper()
    if not is_seed(seed):
        # Without what was found: it is a secret.
        complaint = f"expected base32 of {SEED_BITS} bits or more, as authenticator apps take it"
        raise mistake(path, (*place, "mfa", "seed"), complaint)
    return seed


# Identity providers


def _saml(spec: SamlProviderSpec, path: Path) -> SuppliedSaml:
    texts = {"key": _pem(path, ("saml-provider", "key"), spec.key),
             "certificate": _pem(path, ("saml-provider", "certificate"), spec.certificate)}  # fmt: skip
    certificate = _certificate(path, ("saml-provider", "certificate"), texts["certificate"])
    try:
        issuer = SamlIssuer.restored({"entity-id": spec.entity_id, **texts})
    except (ValueError, TypeError) as error:
        complaint = f"{spec.key} holds no RSA key without a password: {_line(error)}"
        raise mistake(path, ("saml-provider", "key"), complaint) from None
    if certificate.public_key() != issuer.key.public_key():
        complaint = f"{spec.certificate} is not of {spec.key}, expected its own"
        raise mistake(path, ("saml-provider", "certificate"), complaint)
    if spec.arn is not None and not _ARN.fullmatch(spec.arn):
        raise mistake(path, ("saml-provider", "arn"), f"found '{spec.arn}', expected an ARN")
    return SuppliedSaml(issuer, spec.arn or "")


def _openid(spec: OpenIdProviderSpec, path: Path) -> SuppliedOpenId:
    issuer = _served(spec, path) if spec.serve is not None else _foreign(spec, path)
    return SuppliedOpenId(
        issuer, spec.audience, spec.arn or "", served=spec.serve is not None, thumbprint=spec.thumbprint or ""
    )


def _foreign(spec: OpenIdProviderSpec, path: Path) -> OpenIdIssuer:
    """Return an issuer that publishes its keys itself."""
    assert spec.issuer is not None  # noqa: S101 - the model has looked
    if urlsplit(spec.issuer).scheme not in {"http", "https"}:
        raise mistake(path, ("openid-provider", "issuer"), "expected the URL of an issuer, like https://idp.example.org")
    place = ("openid-provider", "key")
    text = _pem(path, place, spec.key or "")
    fitting = algorithms(_key(path, place, text))
    if not fitting:
        raise mistake(
            path, place, f"{spec.key} holds a key of a curve for no tokens, expected RSA, P-256 or the like"
        )
    algorithm = spec.algorithm or fitting[0]
    if algorithm not in fitting:
        complaint = f"found {algorithm}, expected one that the key signs: {', '.join(fitting)}"
        raise mistake(path, ("openid-provider", "algorithm"), complaint)
    kind = "RSA" if "RS256" in fitting else fitting[0]
    return OpenIdIssuer.restored({"url": spec.issuer, "algorithm": algorithm, f"{kind} {spec.key_id}": text})


def _served(spec: OpenIdProviderSpec, path: Path) -> OpenIdIssuer:
    """Return an issuer that the run serves where the target expects it."""
    place = ("openid-provider", "serve")
    complaint = "expected a URL like https://localhost:5699, on loopback and with a port"
    try:
        url = urlsplit(spec.serve or "")
        port = url.port
    except ValueError:
        raise mistake(path, place, complaint) from None
    plain = not (url.username or url.password or url.query or url.fragment)
    if url.scheme != "https" or url.hostname not in _LOOPBACK or not port or not plain:
        raise mistake(path, place, complaint)
    host: Literal["localhost", "127.0.0.1"] = "localhost" if url.hostname == "localhost" else "127.0.0.1"
    return OpenIdIssuer(host, url.path.rstrip("/"), port=port, tls=_tls(spec, path))


def _tls(spec: OpenIdProviderSpec, path: Path) -> tuple[PrivateKey, Certificate] | None:
    if spec.tls_key is None or spec.tls_certificate is None:
        return None
    key_place, place = ("openid-provider", "tls-key"), ("openid-provider", "tls-certificate")
    key = _key(path, key_place, _pem(path, key_place, spec.tls_key))
    certificate = _certificate(path, place, _pem(path, place, spec.tls_certificate))
    if certificate.public_key() != key.public_key():
        raise mistake(path, place, f"{spec.tls_certificate} is not of {spec.tls_key}, expected its own")
    return key, certificate


def _pem(path: Path, place: tuple[str, ...], name: str) -> str:
    """Return the text of a file that stands beside the target file."""
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        # Without what was found: it may be the key itself.
        raise mistake(path, place, "is no name of a file, expected one: what it holds stands there")
    try:
        return read_text(path.parent / name)
    except SpecError as error:
        raise mistake(path, place, str(error)) from None


def _key(path: Path, place: tuple[str, ...], text: str) -> PrivateKey:
    try:
        return private_key(text)
    except ValueError as error:
        raise mistake(path, place, f"the file holds no private key in PEM: {_line(error)}") from None


def _certificate(path: Path, place: tuple[str, ...], text: str) -> Certificate:
    try:
        return load_pem_x509_certificate(text.encode())
    except ValueError as error:
        raise mistake(path, place, f"the file holds no certificate in PEM: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
