"""A target's YAML file: where it is, what it is reached with, and what it has already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import Field, StringConstraints, model_validator

from generators.federated import AUDIENCE
from specs.loader import SpecError, load, locate, read_text
from specs.model import Doc, Text
from targets.credentials import Credentials
from targets.identity.openid import Algorithm  # noqa: TC001 - pydantic looks it up

if TYPE_CHECKING:
    from pathlib import Path

Thumbprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{40}$")]


class KeysSpec(Doc):
    """A key, written out, or named by the environment variables that hold it."""

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
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

    def read(self, path: Path) -> Credentials:
        """Return the key; raises SpecError if a named variable is not set."""

        def value(part: str) -> str | None:
            return secret(path, getattr(self, part), getattr(self, f"{part}_from"), "a part of a key")

        return Credentials(value("access_key_id") or "", value("secret_access_key") or "", value("session_token"))


class MfaSpec(Doc):
    """An MFA device of a user that a target has already."""

    serial_number: Text = Field(description="Its ARN")
    seed: Text | None = Field(default=None, description="Base32, as authenticator apps take it")
    seed_from: Text | None = Field(default=None, description="Name of an environment variable")

    @model_validator(mode="after")
    def _complete(self) -> MfaSpec:
        if (self.seed is None) == (self.seed_from is None):
            raise ValueError("either seed or seed-from")
        return self


class FixtureSpec(Doc):
    """A role, user or policy that a target has already; `targets.supplied` knows what each kind needs."""

    arn: Text
    id: Text | None = Field(default=None, description="Of a role or user: AROA..., AIDA...")
    access_key_id: Text | None = None
    access_key_id_from: Text | None = None
    secret_access_key: Text | None = None
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

    name: Text | None = None
    endpoint: Text
    iam_endpoint: Text | None = Field(default=None, description="Where IAM is, if not at the endpoint")
    region: Text = "us-east-1"
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


def secret(path: Path, written: str | None, variable: str | None, what: str) -> str | None:
    """Return a text that is written out or stands in an environment variable, None if it is neither.

    Raises SpecError if the variable is not set; `what` says what was expected in it.
    """
    if variable is None:
        return written
    found = os.environ.get(variable)
    if not found:
        raise SpecError(f"{path}: the environment variable {variable} is not set; expected {what}")
    return found


def mistake(path: Path, place: tuple[str, ...], complaint: str) -> SpecError:
    """Return what to raise for a mistake at a place of a target file that has been read before."""
    # It has been found to be plain YAML: no tags, no aliases, not deep.
    node = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    line = locate(node, place) if node is not None else 1
    return SpecError(f"{path}:{line}: '{'.'.join(place)}': {complaint}")
