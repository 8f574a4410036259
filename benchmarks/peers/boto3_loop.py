"""`python -m benchmarks.peers.boto3_loop URL N`: what a hand-written suite does, a boto3 client in a loop."""

from __future__ import annotations

import sys

import boto3
from botocore.config import Config

from benchmarks.peers.signing import members


def main() -> None:
    """Call AssumeRole N times and look at each answer."""
    url, count = sys.argv[1], int(sys.argv[2])
    client = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulators' well-known one
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, proxies={}),
    )
    for number in range(count):
        given = members(number)
        answer = client.assume_role(
            RoleArn=given["RoleArn"],
            RoleSessionName=given["RoleSessionName"],
            DurationSeconds=int(given["DurationSeconds"]),
        )
        if answer["ResponseMetadata"]["HTTPStatusCode"] != 200 or not answer["Credentials"]["AccessKeyId"]:  # noqa: PLR2004 - success
            raise AssertionError(str(answer)[:200])


if __name__ == "__main__":
    main()
