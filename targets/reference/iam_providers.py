"""IAM's actions on identity providers, virtual MFA devices and outbound web identity federation."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pyotp

from targets.reference.iam_context import (
    Context,
    Given,
    Result,
    action,
    by_arn,
    new_tags,
    no_such,
    page,
    refuse_taken,
    register_tagging,
    shown_tags,
    user_of,
)
from targets.reference.iam_entities import shown_user
from targets.reference.iam_query import Fault
from targets.reference.iam_store import DeviceRecord, OpenIdRecord, Outbound, SamlRecord, new_seed

DEVICES_PER_USER = 8
CLIENT_IDS = 100
THUMBPRINTS = 5
_CENTURY = timedelta(days=36525)
_ISSUER = re.compile(r"https://([^\s/?#@]+(?:/[^\s?#]*)?)", re.ASCII)
_CODE_SECONDS = 30
_DRIFT = 2  # how many codes a device's clock may be ahead or behind


# SAML


@action("CreateSAMLProvider")
def _create_saml(context: Context, given: Given) -> Result:
    name, providers = given["Name"], context.store.saml
    refuse_taken(providers, context.account, name, f"SAMLProvider with name {name} already exists.")
    provider = SamlRecord(
        account=context.account,
        name=name,
        id=str(uuid4()),
        created=context.now,
        tags=new_tags(given),
        metadata=_metadata(context, given["SAMLMetadataDocument"]),
    )
    providers.add(provider)
    return {"SAMLProviderArn": provider.arn, "Tags": shown_tags(provider)}


@action("GetSAMLProvider")
def _get_saml(context: Context, given: Given) -> Result:
    provider = _saml_of(context, given)
    return {
        "SAMLProviderUUID": provider.id,
        "SAMLMetadataDocument": provider.metadata,
        "CreateDate": provider.created,
        "ValidUntil": provider.created + _CENTURY,
        "Tags": shown_tags(provider),
    }


@action("ListSAMLProviders")
def _list_saml(context: Context, _given: Given) -> Result:
    providers = context.store.saml.of(context.account)
    shown = [{"Arn": p.arn, "ValidUntil": p.created + _CENTURY, "CreateDate": p.created} for p in providers]
    return {"SAMLProviderList": shown}


@action("UpdateSAMLProvider")
def _update_saml(context: Context, given: Given) -> Result:
    provider = _saml_of(context, given)
    if "SAMLMetadataDocument" in given:
        provider.metadata = _metadata(context, given["SAMLMetadataDocument"])
    return {"SAMLProviderArn": provider.arn}


@action("DeleteSAMLProvider")
def _delete_saml(context: Context, given: Given) -> None:
    context.store.saml.remove(_saml_of(context, given))


def _saml_of(context: Context, given: Given) -> SamlRecord:
    arn = given["SAMLProviderArn"]
    provider = by_arn(context, context.store.saml, arn)
    if provider is None:
        raise no_such(f"Manifest not found for arn {arn}")
    return provider


def _metadata(context: Context, text: str) -> str:
    try:
        context.check_metadata(text)
    except ValueError as error:
        raise Fault("InvalidInput", f"Could not parse metadata: {error}") from None
    return text


# OpenID Connect


@action("CreateOpenIDConnectProvider")
def _create_openid(context: Context, given: Given) -> Result:
    url = _ISSUER.fullmatch(given["Url"])
    if url is None:
        raise Fault("ValidationError", "Invalid Open ID Connect Provider URL")
    message = f"Provider with url {given['Url']} already exists."
    refuse_taken(context.store.openid, context.account, url[1], message)
    provider = OpenIdRecord(
        account=context.account,
        name=url[1],
        id=str(uuid4()),
        created=context.now,
        tags=new_tags(given),
        client_ids=_client_ids(given.get("ClientIDList", [])),
        thumbprints=_thumbprints(given.get("ThumbprintList", [])),
    )
    context.store.openid.add(provider)
    return {"OpenIDConnectProviderArn": provider.arn, "Tags": shown_tags(provider)}


@action("GetOpenIDConnectProvider")
def _get_openid(context: Context, given: Given) -> Result:
    provider = _openid_of(context, given)
    return {
        "Url": provider.name,
        "ClientIDList": provider.client_ids,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": provider.created,
        "Tags": shown_tags(provider),
    }


@action("ListOpenIDConnectProviders")
def _list_openid(context: Context, _given: Given) -> Result:
    providers = context.store.openid.of(context.account)
    return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in providers]}


@action("AddClientIDToOpenIDConnectProvider")
def _add_client(context: Context, given: Given) -> None:
    provider = _openid_of(context, given)
    provider.client_ids = _client_ids([*provider.client_ids, given["ClientID"]])


@action("RemoveClientIDFromOpenIDConnectProvider")
def _remove_client(context: Context, given: Given) -> None:
    # Documented as idempotent: one that is not there is as good as removed.
    provider = _openid_of(context, given)
    provider.client_ids = [client for client in provider.client_ids if client != given["ClientID"]]


@action("UpdateOpenIDConnectProviderThumbprint")
def _update_thumbprints(context: Context, given: Given) -> None:
    provider = _openid_of(context, given)
    provider.thumbprints = _thumbprints(given["ThumbprintList"])


@action("DeleteOpenIDConnectProvider")
def _delete_openid(context: Context, given: Given) -> None:
    # Documented as idempotent.
    provider = by_arn(context, context.store.openid, given["OpenIDConnectProviderArn"])
    if provider is not None:
        context.store.openid.remove(provider)


def _openid_of(context: Context, given: Given) -> OpenIdRecord:
    arn = given["OpenIDConnectProviderArn"]
    provider = by_arn(context, context.store.openid, arn)
    if provider is None:
        raise no_such(f"OpenIDConnect Provider not found for arn {arn}")
    return provider


def _client_ids(ids: list[str]) -> list[str]:
    once = list(dict.fromkeys(ids))
    if len(once) > CLIENT_IDS:
        raise Fault("LimitExceeded", f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENT_IDS}")
    return once


def _thumbprints(texts: list[str]) -> list[str]:
    if len(texts) > THUMBPRINTS:
        raise Fault("InvalidInput", f"Thumbprint list must contain fewer than {THUMBPRINTS} entries.")
    for text in texts:
        if not re.fullmatch("[0-9A-Fa-f]{40}", text):
            raise Fault("InvalidInput", f"Thumbprint {text} is not the SHA-1 hash of a certificate.")
    return [text.lower() for text in texts]


# MFA


@action("CreateVirtualMFADevice")
def _create_device(context: Context, given: Given) -> Result:
    name, devices = given["VirtualMFADeviceName"], context.store.devices
    refuse_taken(devices, context.account, name, "MFADevice entity at the same path and name already exists.")
    device = DeviceRecord(
        account=context.account,
        name=name,
        path=given.get("Path", "/"),
        id=str(uuid4()),
        created=context.now,
        tags=new_tags(given),
        seed=new_seed(),
    )
    devices.add(device)
    # No QRCodePNG: whoever wants a picture can draw one from the seed.
    shown = {"SerialNumber": device.arn, "Base32StringSeed": device.seed.encode(), "Tags": shown_tags(device)}
    return {"VirtualMFADevice": shown}


@action("EnableMFADevice")
def _enable_device(context: Context, given: Given) -> None:
    user, device = user_of(context, given), _device_of(context, given)
    if device.user is not None:
        raise Fault("EntityAlreadyExists", "MFADevice is already in use.")
    if len(user.devices) >= DEVICES_PER_USER:
        raise Fault("LimitExceeded", f"Cannot exceed quota for MFADevicesPerUser: {DEVICES_PER_USER}")
    _check_codes(context, device, given)
    device.user, device.enabled = user, context.now
    user.devices[device.arn] = device


@action("ResyncMFADevice")
def _resync_device(context: Context, given: Given) -> None:
    _check_codes(context, _device_of_user(context, given), given)


@action("DeactivateMFADevice")
def _deactivate_device(context: Context, given: Given) -> None:
    device = _device_of_user(context, given) if "UserName" in given else _device_of(context, given)
    if device.user is None:
        raise no_such("The device that you are trying to deactivate is not in use.")
    del device.user.devices[device.arn]
    device.user = device.enabled = None


@action("DeleteVirtualMFADevice")
def _delete_device(context: Context, given: Given) -> None:
    device = _device_of(context, given)
    if device.user is not None:
        raise Fault("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
    context.store.devices.remove(device)


@action("ListMFADevices")
def _list_devices(context: Context, given: Given) -> Result:
    user = user_of(context, given)
    return page(
        "MFADevices",
        ({"UserName": user.name, "SerialNumber": d.arn, "EnableDate": d.enabled} for d in user.devices.values()),
        given,
    )


@action("ListVirtualMFADevices")
def _list_virtual_devices(context: Context, given: Given) -> Result:
    status, devices = given.get("AssignmentStatus"), context.store.devices.of(context.account)
    if status in {"Assigned", "Unassigned"}:
        devices = [device for device in devices if (device.user is not None) == (status == "Assigned")]
    return page(
        "VirtualMFADevices",
        (
            {"SerialNumber": d.arn, "User": shown_user(d.user) if d.user else None, "EnableDate": d.enabled}
            for d in devices
        ),
        given,
    )


def _device_of(context: Context, given: Given) -> DeviceRecord:
    device = by_arn(context, context.store.devices, given["SerialNumber"])
    if device is None:
        raise no_such(f"VirtualMFADevice with serial number {given['SerialNumber']} doesn't exist.")
    return device


def _device_of_user(context: Context, given: Given) -> DeviceRecord:
    device = user_of(context, given).devices.get(given["SerialNumber"])
    if device is None:
        raise no_such(f"MFA Device with serial number {given['SerialNumber']} is not in use by the user.")
    return device


def _check_codes(context: Context, device: DeviceRecord, given: Given) -> None:
    """Refuse what are not two consecutive codes of about now."""
    totp = pyotp.TOTP(device.seed, interval=_CODE_SECONDS)
    step = int(context.now.timestamp()) // _CODE_SECONDS
    shown = given["AuthenticationCode1"], given["AuthenticationCode2"]
    around = range(step - _DRIFT - 1, step + _DRIFT + 1)  # of the first code; the second is the next one
    if all(shown != (totp.generate_otp(first), totp.generate_otp(first + 1)) for first in around if first >= 0):
        raise Fault("InvalidAuthenticationCode", "Authentication code for device is not valid.")


# Outbound web identity federation


@action("EnableOutboundWebIdentityFederation")
def _enable_outbound(context: Context, _given: Given) -> Result:
    outbound = context.store.accounts[context.account]
    if outbound.enabled:
        raise Fault("FeatureEnabled", "Outbound web identity federation is already enabled for the account.")
    outbound.enabled = True
    return {"IssuerIdentifier": outbound.issuer}


@action("DisableOutboundWebIdentityFederation")
def _disable_outbound(context: Context, _given: Given) -> None:
    _outbound_of(context).enabled = False


@action("GetOutboundWebIdentityFederationInfo")
def _get_outbound(context: Context, _given: Given) -> Result:
    return {"IssuerIdentifier": _outbound_of(context).issuer, "JwtVendingEnabled": True}


def _outbound_of(context: Context) -> Outbound:
    outbound = context.store.accounts[context.account]
    if not outbound.enabled:
        raise Fault("FeatureDisabled", "Outbound web identity federation is not enabled for the account.")
    return outbound


register_tagging("SAMLProvider", _saml_of)
register_tagging("OpenIDConnectProvider", _openid_of)
register_tagging("MFADevice", _device_of)
