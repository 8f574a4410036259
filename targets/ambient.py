"""The user's own AWS credentials, found as every SDK finds them. Only a target that is AWS asks for them."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from targets.credentials import Credentials
from targets.profile import unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a source of credentials answers may have any shape, and botocore takes it for the right one.
_CRASHES = (OSError, LookupError, TypeError, ValueError, AttributeError)
_EXPECTED = "expected a profile or AWS_ACCESS_KEY_ID and its secret"


class AmbientError(Exception):
    """There are no credentials that could be used; the text is one line, without a secret."""


def ambient_credentials() -> Credentials:
    """Return what botocore finds: environment, profile, SSO, web identity, container, instance.

    Some of these ask AWS for credentials. They ask AWS alone, whatever endpoints environment and profile name, by
    the endpoint data that ship with botocore. Nothing of it is logged.

    Raises:
        AmbientError: none are found, or such as no header can carry.
    """
    with _no_logs():
        found = _found()
    if found is None:
        raise AmbientError(f"no AWS credentials found; {_EXPECTED}")
    keys = Credentials(found.access_key, found.secret_key, found.token)
    for part, why in unusable(keys).items():
        raise AmbientError(f"AWS credentials found, but their {part.replace('_', ' ')} {why}")
    return keys


def _found() -> Any:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only AWS needs all of botocore

    try:
        found = _session().get_credentials()
        return found.get_frozen_credentials() if found is not None else None
    except BotoCoreError as error:
        raise AmbientError(f"no AWS credentials: {_words(error)}") from None
    except ClientError as error:  # of AWS, when asked for a session
        code = " ".join(str(error.response.get("Error", {}).get("Code")).split())[:100]
        raise AmbientError(f"no AWS credentials: {error.operation_name} was answered {code}") from None
    except _CRASHES as error:
        raise AmbientError(f"no AWS credentials: botocore stopped at a {type(error).__name__}; {_EXPECTED}") from None


def _words(error: Any) -> str:
    """Say what botocore complains of; what a source said goes unquoted: it may be a part of a secret."""
    if "error_msg" in error.kwargs and "provider" in error.kwargs:
        return f"they cannot be had from {error.kwargs['provider']}"
    text = " ".join(str(error).split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:300]


def _session() -> Any:
    from botocore.loaders import Loader  # noqa: PLC0415 - only AWS needs all of botocore
    from botocore.session import Session  # noqa: PLC0415

    session = Session(session_vars={"ignore_configured_endpoint_urls": (None, None, True, None)})
    shipped = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", shipped)
    return session


@contextmanager
def _no_logs() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
