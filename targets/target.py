"""`--target` made into an endpoint with credentials: a URL, `aws`, a name, or a YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from specs.loader import SpecError
from targets.credentials import Credentials
from targets.embedded import EmbeddedServer, start_moto, start_reference
from targets.endpoint import Endpoint, EndpointError, parse_endpoint
from targets.profile import TargetFile, read_target_file
from targets.supplied import Supplied, read_supplied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROFILES = Path(__file__).parent / "profiles"
DEFAULT_REGION = "us-east-1"
# What emulators take for their administrator. Never anything from the user's environment.
TEST_CREDENTIALS = Credentials("test", "test")
SECOND_ACCOUNT = Credentials("test-second", "test")  # of the reference

REFERENCE = "reference"
EMBEDDED: dict[str, Callable[[str], EmbeddedServer]] = {"moto": start_moto, REFERENCE: start_reference}


class TargetError(Exception):
    """`--target` cannot be used; the text is one line that says why and what would be right."""


@dataclass(frozen=True)
class Target:
    """An endpoint under test and what it is reached with."""

    name: str
    endpoint: Endpoint
    iam_endpoint: Endpoint | None  # None: nothing may be made there
    region: str
    credentials: Credentials
    user: Credentials | None = None
    root: Credentials | None = None  # of the root user of the same account
    second_account: Credentials | None = None  # of an administrator of another account
    role_arn: str | None = None
    role_max_session_seconds: int = 3600
    policy_arns: tuple[str, ...] = ()  # eleven managed policies
    one_region: bool = False  # the endpoint serves its own region only, as AWS's do
    baseline: Path | None = None
    server: EmbeddedServer | None = None
    has_fixtures: bool = False  # it hands out what no API does, and trusts identity providers on loopback
    supplied: Supplied = field(default_factory=Supplied)  # instead of its being made

    def secrets(self) -> Iterator[str | None]:
        """Yield what it is reached with and must not be shown; None and texts too short to be secret among it."""
        for keys in (self.credentials, self.user, self.root, self.second_account):
            if keys is not None:
                yield from (keys.secret_access_key, keys.session_token)
        yield from self.supplied.secrets()


def resolve(given: str, *, region: str | None = None, provision: bool = False) -> Target:
    """Find out what `given` means; starts an embedded server if it names one.

    `provision` allows making users and roles in a real AWS account.

    Raises:
        TargetError: unknown name, malformed URL, mistaken file, no credentials for AWS.
    """
    try:
        if given in EMBEDDED:
            return _embedded(given, region or DEFAULT_REGION)
        if given == "aws":
            return _aws(f"https://sts.{region or DEFAULT_REGION}.amazonaws.com", region, provision=provision)
        if given.endswith((".yaml", ".yml")):
            return _from_file(Path(given), region, provision=provision)
        if "://" in given:
            return _from_url(given, region, provision=provision)
    except (EndpointError, SpecError) as error:
        raise TargetError(str(error)) from None
    raise _unknown(given)


def points_at_aws(given: str) -> bool:
    """Tell whether `given` means AWS itself, without asking for credentials or starting anything.

    Raises:
        TargetError: it means nothing.
    """
    try:
        if given.endswith((".yaml", ".yml")):
            return parse_endpoint(read_target_file(Path(given)).endpoint).is_aws
        if "://" in given:
            return parse_endpoint(given).is_aws
    except (EndpointError, SpecError) as error:
        raise TargetError(str(error)) from None
    if given != "aws" and given not in EMBEDDED:
        raise _unknown(given)
    return given == "aws"


def _unknown(given: str) -> TargetError:
    names = ", ".join(sorted(EMBEDDED))
    return TargetError(
        f"'{given}' is no target; expected a URL (http://127.0.0.1:4566), aws, a name ({names}) or a .yaml file"
    )


def _embedded(name: str, region: str) -> Target:
    server = EMBEDDED[name](region)
    endpoint = parse_endpoint(server.url)
    baseline = PROFILES / f"{name}.baseline.yaml"
    return Target(
        name=name,
        endpoint=endpoint,
        iam_endpoint=endpoint,
        region=region,
        credentials=TEST_CREDENTIALS,
        baseline=baseline if baseline.exists() else None,
        server=server,
        second_account=SECOND_ACCOUNT if name == REFERENCE else None,
        one_region=name == REFERENCE,
        has_fixtures=name == REFERENCE,
    )


def _from_url(url: str, region: str | None, *, provision: bool) -> Target:
    endpoint = parse_endpoint(url)
    if endpoint.is_aws:
        return _aws(url, region, provision=provision)
    return Target(
        name=endpoint.authority,
        endpoint=endpoint,
        iam_endpoint=endpoint,
        region=region or DEFAULT_REGION,
        credentials=TEST_CREDENTIALS,
    )


def _aws(url: str, region: str | None, *, provision: bool) -> Target:
    """AWS itself: the one place where the user's ambient credentials are used."""
    endpoint = parse_endpoint(url)
    parts = endpoint.host.split(".")
    named = parts[1] if len(parts) > 3 and parts[0] == "sts" else DEFAULT_REGION  # noqa: PLR2004 - sts.REGION.amazonaws.com
    return Target(
        name="aws",
        endpoint=endpoint,
        iam_endpoint=parse_endpoint("https://iam.amazonaws.com") if provision else None,
        region=region or named,
        credentials=_ambient_credentials(),
        one_region=True,
    )


def _ambient_credentials() -> Credentials:
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - only AWS needs the whole of botocore
    from botocore.session import get_session  # noqa: PLC0415

    try:
        found = get_session().get_credentials()
        frozen = found.get_frozen_credentials() if found is not None else None
    except BotoCoreError as error:
        raise TargetError(f"no AWS credentials: {' '.join(str(error).split())}") from None
    if frozen is None:
        raise TargetError("no AWS credentials found; expected a profile or AWS_ACCESS_KEY_ID and its secret")
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def _from_file(path: Path, region: str | None, *, provision: bool) -> Target:
    file = read_target_file(path)
    endpoint = parse_endpoint(file.endpoint)
    iam = parse_endpoint(file.iam_endpoint) if file.iam_endpoint else endpoint
    if endpoint.is_aws and not file.iam_endpoint:
        iam = parse_endpoint("https://iam.amazonaws.com")
    if endpoint.is_aws and not iam.is_aws:
        raise TargetError(f"{path}: iam-endpoint is not AWS though endpoint is; expected both or neither")
    wanted = file.provision if file.provision is not None else provision or not endpoint.is_aws
    return Target(
        name=file.name or path.stem,
        endpoint=endpoint,
        iam_endpoint=iam if wanted else None,
        region=region or file.region,
        credentials=_credentials(file, path, endpoint),
        user=file.user.read(path) if file.user else None,
        root=file.root.read(path) if file.root else None,
        second_account=file.second_account.read(path) if file.second_account else None,
        role_arn=file.role_arn,
        role_max_session_seconds=file.role_max_session_seconds,
        policy_arns=file.policy_arns or (),
        one_region=file.one_region or endpoint.is_aws,
        baseline=path.parent / file.baseline if file.baseline else None,
        supplied=read_supplied(file, path),
    )


def _credentials(file: TargetFile, path: Path, endpoint: Endpoint) -> Credentials:
    if file.credentials is not None:
        return file.credentials.read(path)
    return _ambient_credentials() if endpoint.is_aws else TEST_CREDENTIALS
