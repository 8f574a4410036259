"""What only a reference hands out: on AWS other services and products would, or a setting of the account does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from targets.iam import removal
from targets.wire import Prepared

if TYPE_CHECKING:
    from targets.http import Client
    from targets.iam import IamCall, Undo
    from targets.provision import Estate


async def let_tokens_be_vended(estate: Estate, iam: IamCall, undo: Undo) -> None:
    """Switch outbound web identity federation on, for the account."""
    switched = await iam("EnableOutboundWebIdentityFederation")
    if switched.granted:
        undo.append(removal(iam, "DisableOutboundWebIdentityFederation"))
        estate.has.add("outbound-federation")


async def take_fixtures(estate: Estate, client: Client) -> None:
    """Ask a reference for what on AWS other services and products hand out."""
    target = f"/_reference/fixtures?role-arn={estate.values['role-arn']}"
    headers = (("Host", client.endpoint.authority), ("Content-Length", "0"))
    exchange = await client.send(Prepared("POST", target, headers, b"", datetime.now(UTC)))
    if exchange.answer is None or not exchange.granted:
        return
    estate.values |= json.loads(exchange.answer.body)
    estate.has |= {"encoded-message", "trade-in-token", "organization-management-account"}
