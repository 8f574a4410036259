"""A target's YAML file: where it is, what it is reached with, and what it has already."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, ClassVar

import yaml
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from generators.federated import AUDIENCE
from specs.loader import SpecError, load, locate, read_text
from specs.model import Doc, Text
from specs.shown import shown_place
from targets.credentials import Credentials, sendable
from targets.identity.openid import Algorithm  # noqa: TC001 - pydantic looks it up

if TYPE_CHECKING:
    from pathlib import Path

Thumbprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{40}$")]


# Secrets show in no repr, and pydantic's own messages quote nothing.
Hidden = Annotated[Text | None, Field(repr=False)]
# What is surely the name of an environment variable, and no secret that stands where a name was expected.
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]{0,11}|[A-Z0-9]{1,32}(?:_[A-Z0-9]{1,32}){1,8}")


_PARTS = {
    "access_key_id": "an access key id",
    "secret_access_key": "a secret access key",
    "session_token": "a session token",
    "seed": "the seed of an MFA device",
}


class KeysSpec(Doc):
    """A key, written out, or named by the environment variables that hold it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    access_key_id: Text | None = None
    secret_access_key: Hidden = None
    session_token: Hidden = None
    access_key_id_from: str | None = Field(default=None, description="Name of an environment variable")
    secret_access_key_from: str | None = None
    session_token_from: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> KeysSpec:
        for part in ("access_key_id", "secret_access_key"):
            if (getattr(self, part) is None) == (getattr(self, f"{part}_from") is None):
                dashed = part.replace("_", "-")
                raise ValueError(f"either {dashed} or {dashed}-from")
        return self

    def read(self, path: Path, *place: str) -> Credentials:
        """Return the key; raises SpecError if a named variable is not set, or a part of it cannot be sent."""

        def value(part: str) -> str | None:
            return secret(path, place, self, part)

        keys = Credentials(value("access_key_id") or "", value("secret_access_key") or "", value("session_token"))
        refuse_unusable(path, place, self, keys)
        return keys


class MfaSpec(Doc):
    """An MFA device of a user that a target has already."""

    model_config = ConfigDict(hide_input_in_errors=True)

    serial_number: Text = Field(description="Its ARN")
    seed: Text | None = Field(default=None, repr=False, description="Base32, as authenticator apps take it")
    seed_from: Text | None = Field(default=None, description="Name of an environment variable")

    @model_validator(mode="after")
    def _complete(self) -> MfaSpec:
        if (self.seed is None) == (self.seed_from is None):
            raise ValueError("either seed or seed-from")
        return self


class FixtureSpec(Doc):
    """A role, user or policy that a target has already; `targets.supplied` knows what each kind needs."""

    model_config = ConfigDict(hide_input_in_errors=True)

    arn: Text
    id: Text | None = Field(default=None, description="Of a role or user: AROA..., AIDA...")
    access_key_id: Text | None = None
    access_key_id_from: Text | None = None
    secret_access_key: Hidden = None
    secret_access_key_from: Text | None = None
    mfa: MfaSpec | None = None

    @model_validator(mode="after")
    def _consistent(self) -> FixtureSpec:
        for part in ("access_key_id", "secret_access_key"):
            if getattr(self, part) is not None and getattr(self, f"{part}_from") is not None:
                dashed = part.replace("_", "-")
                raise ValueError(f"either {dashed} or {dashed}-from")
        return self


class SamlProviderSpec(Doc):
    """A SAML identity provider whose key the user has."""

    arn: Text | None = Field(default=None, description="Where it is registered; without: the run registers it")
    entity_id: Text
    key: Text = Field(description="File of the private key, PEM; a path beside this file")
    certificate: Text = Field(description="File of its certificate, PEM")


class OpenIdProviderSpec(Doc):
    """An OpenID Connect provider: one whose key the user has, or one that the run serves where it is expected."""

    arn: Text | None = Field(default=None, description="Where it is registered; without: the run registers it")
    audience: Text = Field(default=AUDIENCE, description="A client id that is registered with it")
    issuer: Text | None = Field(default=None, description="URL of an issuer whose keys are published there")
    key: Text | None = Field(default=None, description="File of the issuer's private key, PEM")
    key_id: Text | None = Field(default=None, description="The key's id in the issuer's key set")
    algorithm: Algorithm | None = Field(default=None, description="The key's; default: what fits it")
    thumbprint: Thumbprint | None = Field(
        default=None, description="Of the issuer's certificate, to register it with"
    )
    serve: Text | None = Field(default=None, description="URL on loopback at which the run serves an issuer")
    tls_key: Text | None = Field(default=None, description="File of the server's key, PEM; default: a new one")
    tls_certificate: Text | None = Field(default=None, description="File of the server's certificate, PEM")

    @model_validator(mode="after")
    def _one_kind(self) -> OpenIdProviderSpec:
        if (self.issuer is None) == (self.serve is None):
            raise ValueError("either issuer, with key and key-id, or serve")
        if self.issuer is not None and (self.key is None or self.key_id is None):
            raise ValueError("an issuer needs key and key-id")
        of_others = (self.key, self.key_id, self.algorithm, self.thumbprint)
        if self.serve is not None and any(part is not None for part in of_others):
            raise ValueError("what is served has keys of its own: leave key, key-id, algorithm and thumbprint out")
        if (self.tls_key is None) != (self.tls_certificate is None):
            raise ValueError("tls-key and tls-certificate stand together")
        if self.issuer is not None and self.tls_key is not None:
            raise ValueError("tls-key and tls-certificate belong to serve")
        return self


class TargetFile(Doc):
    """What a target file may say."""

    model_config = ConfigDict(hide_input_in_errors=True)
    holds_secrets: ClassVar[bool] = True  # messages about the file quote nothing that may be one

    name: Text | None = None
    endpoint: Text
    iam_endpoint: Text | None = Field(default=None, description="Where IAM is, if not at the endpoint")
    region: Text | None = Field(default=None, description="Signed for; default: us-east-1, on AWS the host's")
    credentials: KeysSpec | None = Field(default=None, description="Of the caller; an emulator's default: test")
    provision: bool | None = Field(
        default=None, description="Make what cases need through the IAM API; default: yes, but on AWS no"
    )
    user: KeysSpec | None = Field(default=None, description="Long-term keys of an IAM user, instead of a made one")
    root: KeysSpec | None = Field(default=None, description="Of the account's root user, for what only it meets")
    second_account: KeysSpec | None = Field(
        default=None, description="Of an administrator of another account, for what happens between two"
    )
    role_arn: Text | None = Field(default=None, description="A role that the caller may assume and tag")
    policy_arns: tuple[Text, ...] | None = Field(
        default=None,
        min_length=11,
        max_length=11,
        description="Managed policies, whatever they allow: one more than a session takes",
    )
    fixtures: dict[str, FixtureSpec] = Field(
        default_factory=dict, description="What scenarios need, by the keys that python -m targets.fixtures tells"
    )
    saml_provider: SamlProviderSpec | None = None
    openid_provider: OpenIdProviderSpec | None = None
    role_max_session_seconds: int = 3600
    one_region: bool = Field(default=False, description="The endpoint serves its region only, as AWS's do")
    baseline: Text | None = Field(default=None, description="Known deviations; a path beside this file")


def read_target_file(path: Path) -> TargetFile:
    """Read a target file; raises SpecError with file and line."""
    return load(path, TargetFile)


def secret(path: Path, place: tuple[str, ...], spec: Doc, part: str) -> str | None:
    """Return a field that is written out, or stands in the environment variable named beside it; None: neither.

    Raises SpecError if the variable is not set.
    """
    variable: str | None = getattr(spec, f"{part}_from")
    if variable is None:
        written: str | None = getattr(spec, part)
        return written
    found = os.environ.get(variable)
    if not found:
        named = variable if _VARIABLE.fullmatch(variable) else "named there"
        key = f"{_dashed(part)}-from"
        complaint = f"the environment variable {named} is not set, expected {_PARTS[part]} in it"
        raise mistake(path, (*place, key), complaint)
    return found


def unusable(keys: Credentials) -> dict[str, str]:
    """Say of each part of a key that cannot be used why, without showing it."""
    foreign = "holds a space, a control character or a letter that is not ASCII, or is too long"
    found = {
        part: foreign
        for part, text in (("access_key_id", keys.access_key_id), ("session_token", keys.session_token))
        if text is not None and not sendable(text)
    }
    # Never sent, so that spaces and letters of other scripts do no harm in it.
    spoilt = "" if keys.secret_access_key.isprintable() else "holds a control character"
    return found | ({"secret_access_key": spoilt} if spoilt else {})


def refuse_unusable(path: Path, place: tuple[str, ...], spec: Doc, keys: Credentials) -> None:
    """Raise SpecError for a part of a key that cannot be used."""
    for part, why in unusable(keys).items():
        variable = getattr(spec, f"{part}_from", None)
        key = f"{_dashed(part)}-from" if variable is not None else _dashed(part)
        where = "the environment variable " if variable is not None else ""
        raise mistake(path, (*place, key), f"{where}{why}, expected a key as it was handed out")


def _dashed(part: str) -> str:
    return part.replace("_", "-")


def mistake(path: Path, place: tuple[str, ...], complaint: str) -> SpecError:
    """Return what to raise for a mistake at a place of a target file that has been read before."""
    # It has been found to be plain YAML: no tags, no aliases, not deep.
    node = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    line = locate(node, place) if node is not None else 1
    return SpecError(f"{path}:{line}: '{shown_place(place, TargetFile)}': {complaint}")
