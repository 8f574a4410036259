"""`--target` made into an endpoint with credentials: a URL, `aws`, a name, or a YAML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from specs.loader import SpecError
from targets import aws
from targets.ambient import AmbientError, ambient_credentials
from targets.credentials import Credentials
from targets.embedded import EmbeddedServer, start_moto, start_reference
from targets.endpoint import Endpoint, EndpointError, parse_endpoint
from targets.profile import TargetFile, mistake, read_target_file
from targets.supplied import Supplied, read_supplied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROFILES = Path(__file__).parent / "profiles"
DEFAULT_REGION = "us-east-1"
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_SHOWABLE = re.compile(r"[A-Za-z0-9._:/-]{1,80}")  # what was given for a target, if it cannot hold a password
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
        TargetError: unknown name, malformed URL or region, mistaken file, no credentials for AWS.
    """
    try:
        if given in EMBEDDED:
            return _embedded(given, _emulated(region))
        if _is_file(given):
            return _from_file(Path(given), region, provision=provision)
        return _from_url(_url(given, region), region, provision=provision)
    except (EndpointError, SpecError, AmbientError) as error:
        raise TargetError(str(error)) from None


def points_at_aws(given: str, region: str | None = None) -> bool:
    """Tell whether `given` means AWS itself, without asking for credentials or starting anything.

    Raises:
        TargetError: it means nothing, or nothing in that region.
    """
    try:
        if given in EMBEDDED:
            return not _emulated(region)
        if _is_file(given):
            path = Path(given)
            endpoint = _endpoint(path, "endpoint", (file := read_target_file(path)).endpoint)
            return bool(_region_of_file(path, file, endpoint, region)) and endpoint.is_aws
        endpoint = _sts(parse_endpoint(_url(given, region)))
        return bool(_region(endpoint, region)) and endpoint.is_aws
    except (EndpointError, SpecError) as error:
        raise TargetError(str(error)) from None


def _is_file(given: str) -> bool:
    return given.endswith((".yaml", ".yml")) and "://" not in given


def _url(given: str, region: str | None) -> str:
    """Return the URL that `given` means."""
    if "://" in given:
        return given
    if given == "aws":
        return _aws_url(DEFAULT_REGION if region is None else region)
    names = ", ".join(sorted(EMBEDDED))
    shown = f"'{given}'" if _SHOWABLE.fullmatch(given) or not given else "what was given"
    expected = f"a URL (http://127.0.0.1:4566), aws, a name ({names}) or a .yaml file"
    raise TargetError(f"{shown} is no target; expected {expected}")


# Regions


def _aws_url(region: str) -> str:
    if not aws.partition_of(region):
        raise TargetError(f"--region: {_no_region(region)}, expected one of AWS's like {aws.like(region)}")
    return f"https://{aws.sts_host(region)}"


def _no_region(region: str) -> str:
    return f"'{region}' is no region" if _REGION.fullmatch(region) else "what was given is no region"


def _emulated(region: str | None) -> str:
    """Return the region to sign for at what is not AWS: emulators take any, but it must be a word."""
    if region is not None and not _REGION.fullmatch(region):
        raise TargetError(f"--region: {_no_region(region)}, expected one like {DEFAULT_REGION}")
    return region or DEFAULT_REGION


def _region(endpoint: Endpoint, region: str | None) -> str:
    """Return the region to sign for, as the option has it; of AWS, if it is not given, that of the host."""
    service = endpoint.service
    if service is None:
        return _emulated(region)
    if region is None or service.takes(region):
        return region or service.region
    raise TargetError(f"--region: {_no_region(region)} of {endpoint.url}, expected {service.region}")


def _region_of_file(path: Path, file: TargetFile, endpoint: Endpoint, region: str | None) -> str:
    """Return the region to sign for; the option goes before the file."""
    if region is not None or file.region is None:
        return _region(endpoint, region)
    if not _REGION.fullmatch(file.region):
        raise mistake(path, ("region",), f"is no region, expected one like {DEFAULT_REGION}")
    if endpoint.service is not None and not endpoint.service.takes(file.region):
        complaint = f"'{file.region}' is no region of {endpoint.url}, expected {endpoint.service.region}"
        raise mistake(path, ("region",), complaint)
    return file.region


# Kinds of targets


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
    endpoint = _sts(parse_endpoint(url))
    signed_for = _region(endpoint, region)
    if endpoint.is_aws:
        return Target(
            name="aws",
            endpoint=endpoint,
            iam_endpoint=_iam_of_aws(endpoint) if provision else None,
            region=signed_for,
            credentials=ambient_credentials(),
            one_region=True,
        )
    return Target(
        name=endpoint.authority,
        endpoint=endpoint,
        iam_endpoint=endpoint,
        region=signed_for,
        credentials=TEST_CREDENTIALS,
    )


def _sts(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint, unless it is AWS's IAM."""
    if endpoint.service is not None and endpoint.service.name != aws.STS:
        right = aws.sts_host(endpoint.service.region)
        raise EndpointError(f"'{endpoint.url}' is AWS's IAM, expected its STS, one like https://{right}")
    return endpoint


def _iam_of_aws(endpoint: Endpoint) -> Endpoint:
    """Return the IAM of the partition that an endpoint of AWS is in."""
    return parse_endpoint(f"https://{aws.iam_host(endpoint.partition)}")


def _from_file(path: Path, region: str | None, *, provision: bool) -> Target:
    file = read_target_file(path)
    endpoint = _endpoint(path, "endpoint", file.endpoint)
    iam = _iam_of_file(path, file, endpoint)
    wanted = file.provision if file.provision is not None else provision or not endpoint.is_aws
    return Target(
        name=file.name or path.stem,
        endpoint=endpoint,
        iam_endpoint=iam if wanted else None,
        region=_region_of_file(path, file, endpoint, region),
        credentials=_credentials(file, path, endpoint),
        user=file.user.read(path, "user") if file.user else None,
        root=file.root.read(path, "root") if file.root else None,
        second_account=file.second_account.read(path, "second-account") if file.second_account else None,
        role_arn=file.role_arn,
        role_max_session_seconds=file.role_max_session_seconds,
        policy_arns=file.policy_arns or (),
        one_region=file.one_region or endpoint.is_aws,
        baseline=path.parent / file.baseline if file.baseline else None,
        supplied=read_supplied(file, path),
    )


def _endpoint(path: Path, key: str, url: str) -> Endpoint:
    """Read a URL of a target file; raises SpecError with file and line."""
    try:
        found = parse_endpoint(url)
        return _sts(found) if key == "endpoint" else found
    except EndpointError as error:
        raise mistake(path, (key,), str(error)) from None


def _iam_of_file(path: Path, file: TargetFile, endpoint: Endpoint) -> Endpoint:
    """Return where IAM is: keys of one partition, or of an emulator, are never sent to another's."""
    if file.iam_endpoint is None:
        return _iam_of_aws(endpoint) if endpoint.is_aws else endpoint
    iam = _endpoint(path, "iam-endpoint", file.iam_endpoint)
    wrong = ""
    if endpoint.is_aws != iam.is_aws:
        wrong = f"is {'' if iam.is_aws else 'not '}AWS though endpoint is{' not' if iam.is_aws else ''}"
    elif iam.service is not None and iam.service.name != aws.IAM:
        wrong = "is AWS's STS"
    elif iam.partition != endpoint.partition:
        wrong = f"is of the partition {iam.partition} though endpoint is of {endpoint.partition}"
    if wrong:
        right = f"expected {_iam_of_aws(endpoint).url}, or none" if endpoint.is_aws else "expected both or neither"
        raise mistake(path, ("iam-endpoint",), f"{wrong}, {right}")
    return iam


def _credentials(file: TargetFile, path: Path, endpoint: Endpoint) -> Credentials:
    if file.credentials is not None:
        return file.credentials.read(path, "credentials")
    return ambient_credentials() if endpoint.is_aws else TEST_CREDENTIALS
