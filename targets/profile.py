"""A target's YAML file: where it is, what it is reached with, and what it has already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from specs.loader import SpecError, load
from specs.model import Doc, Text
from targets.credentials import Credentials

if TYPE_CHECKING:
    from pathlib import Path


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
            name = getattr(self, f"{part}_from")
            if name is None:
                return getattr(self, part)  # type: ignore[no-any-return]
            found = os.environ.get(name)
            if not found:
                raise SpecError(f"{path}: the environment variable {name} is not set; expected a part of a key")
            return found

        return Credentials(
            value("access_key_id") or "", value("secret_access_key") or "", value("session_token")
        )


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
    role_max_session_seconds: int = 3600
    one_region: bool = Field(default=False, description="The endpoint serves its region only, as AWS's do")
    baseline: Text | None = Field(default=None, description="Known deviations; a path beside this file")


def read_target_file(path: Path) -> TargetFile:
    """Read a target file; raises SpecError with file and line."""
    return load(path, TargetFile)
