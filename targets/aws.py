"""Where AWS serves STS and IAM: by botocore's own endpoint data, and by nothing else.

Credentials of the user's go to these hosts alone. So a host counts only if botocore's rules lead to precisely it, for
a region that the grammar of some partition admits; whatever else stands under a domain of AWS's may be anybody's.
The data are read when a host could be one of AWS's, and only those that ship with botocore: what AWS_DATA_PATH or
~/.aws/models name might say anything.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STS, IAM = "sts", "iam"
_RULES = {STS: "sts/2011-06-15/endpoint-rule-set-1", IAM: "iam/2010-05-08/endpoint-rule-set-1"}
_LABEL = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)
_OWN_ARN = re.compile(r"\barn:aws:(?=(?:iam|sts)::(?:\$\{[a-z-]*account\}:|aws:policy/root-task/))", re.ASCII)
_CLAIM = re.compile(r"(?:sts|iam)(?:-fips)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Service:
    """What AWS serves at a host."""

    name: str  # 'sts' or 'iam'
    partition: str  # aws, aws-cn, ...: the second part of ARNs
    region: str  # that requests are signed for
    regions: re.Pattern[str]  # of the partition
    is_global: bool = False  # sts.amazonaws.com: takes signatures for whatever region of its partition

    def takes(self, region: str) -> bool:
        """Whether requests may be signed for `region`."""
        return region == self.region or (self.is_global and _fits(self.regions, region))


@dataclass(frozen=True, slots=True)
class _Partition:
    name: str
    suffixes: tuple[str, ...]  # of hosts, each with a dot in front
    regions: re.Pattern[str]
    home: str  # the region that stands for the partition
    known: tuple[str, ...]  # regions


@lru_cache(maxsize=64)
def service_at(host: str) -> Service | None:
    """Return what AWS serves at `host` (lower case) over TLS, None if that is neither STS nor IAM."""
    return next((found for found in _candidates(host) if found is not None), None) if _suffix(host) else None


def claims_service(host: str) -> str:
    """Return 'sts' or 'iam' if a host in AWS's domains is called so, whether or not AWS serves it there; else ''."""
    suffix = _suffix(host)
    labels = host.removesuffix(suffix).split(".") if suffix else []
    return next((label[:3] for label in labels if _CLAIM.fullmatch(label)), "")


def partition_of(region: str) -> str:
    """Return the name of the partition that has `region`, known to botocore or not; '' if none can have it."""
    found = _partition_of(region)
    return found.name if found is not None else ""


def sts_host(region: str) -> str:
    """Return the regional host of STS; raises ValueError if no partition can have the region."""
    if _partition_of(region) is None:
        raise ValueError(region)
    return _resolved(STS, Region=region)[0]


def iam_host(partition: str) -> str:
    """Return the host of the IAM of a partition; raises KeyError for an unknown one."""
    homes = {one.name: one.home for one in _partitions()}
    return _resolved(IAM, Region=homes[partition])[0]


def in_partition(text: str, partition: str) -> str:
    """Return a template whose ARNs in the run's own accounts, and of root tasks, are those of a partition.

    ARNs that a case makes up stay as they are: they may be as long as is allowed.
    """
    return text if partition == "aws" else _OWN_ARN.sub(f"arn:{partition}:", text)


def like(region: str) -> str:
    """Return a region that could have been meant."""
    known = [one for partition in _partitions() for one in partition.known]
    return next(iter(difflib.get_close_matches(region.lower(), known, 1)), "us-east-1")


def _candidates(host: str) -> Iterator[Service | None]:
    """Yield what botocore's rules say of every way to get to a host like this."""
    middle = host.removesuffix(_suffix(host)).split(".")[-1]
    regions = {middle, *(one.home for one in _partitions() if host.endswith(one.suffixes))}
    flags = [{"UseFIPS": fips, "UseDualStack": dual} for fips in (False, True) for dual in (False, True)]
    for region in sorted(regions):
        partition = _partition_of(region)
        if partition is None:
            continue
        ways = [(name, flag) for name in _RULES for flag in flags]
        for name, flag in (*ways, (STS, {"UseGlobalEndpoint": True})):
            found, signed_for = _resolved(name, Region=region, **flag)
            if found == host:
                is_global = name == STS and region not in host.split(".")
                yield Service(name, partition.name, signed_for or region, partition.regions, is_global)


def _resolved(service: str, **given: Any) -> tuple[str, str]:
    """Return the host that botocore would send to, and the region that it would sign for, '' if the one given."""
    from botocore.exceptions import EndpointResolutionError  # noqa: PLC0415 - with the rules

    try:
        found = _rules(service).resolve_endpoint(**{"UseFIPS": False, "UseDualStack": False, **given})
    except EndpointResolutionError:  # the partition has no such endpoints
        return "", ""
    scheme, _, host = str(found.url).partition("://")
    schemes = found.properties.get("authSchemes", [])
    return host if scheme == "https" else "", next((str(one.get("signingRegion", "")) for one in schemes), "")


def _suffix(host: str) -> str:
    """Return the domain of AWS's that `host` is in, '' if it is in none."""
    if host.rpartition(".")[2].isdigit() or "." not in host:  # addresses, localhost: nothing need be read
        return ""
    return next((end for one in _partitions() for end in one.suffixes if host.endswith(end)), "")


def _partition_of(region: str) -> _Partition | None:
    return next((one for one in _partitions() if _fits(one.regions, region)), None)


def _fits(regions: re.Pattern[str], region: str) -> bool:
    return _LABEL.fullmatch(region) is not None and regions.fullmatch(region) is not None


@cache
def _partitions() -> tuple[_Partition, ...]:
    return tuple(
        _Partition(
            name=one["id"],
            suffixes=tuple(f".{one['outputs'][key]}" for key in ("dnsSuffix", "dualStackDnsSuffix")),
            # botocore's own `$` admits a newline at the end, and its `\w` and `\d` those of every script.
            regions=re.compile(one["regionRegex"].removeprefix("^").removesuffix("$"), re.ASCII),
            home=one["outputs"]["implicitGlobalRegion"],
            known=tuple(region for region in one["regions"] if not region.endswith("-global")),
        )
        for one in _shipped("partitions")["partitions"]
    )


@cache
def _rules(service: str) -> Any:
    from botocore.endpoint_provider import EndpointProvider  # noqa: PLC0415 - for hosts that may be AWS's only

    return EndpointProvider(_shipped(_RULES[service]), _shipped("partitions"))


def _shipped(name: str) -> Any:
    """Read a file of those that ship with botocore."""
    from botocore.loaders import JSONFileLoader, Loader  # noqa: PLC0415 - for hosts that may be AWS's only

    return JSONFileLoader().load_file(str(Path(Loader.BUILTIN_DATA_PATH) / name))
