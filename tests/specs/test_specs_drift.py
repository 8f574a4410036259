"""The contract and botocore's model: known differences are listed, any other is noticed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from specs import contract, drift, loader
from specs.contract import Contract
from specs.drift import Difference
from specs.model import DriftFile

Model = dict[str, Any]
Spoil = Callable[[Model], object]


@pytest.fixture(scope="module")
def whole() -> Contract:
    return contract.load()


@pytest.fixture
def model() -> Model:
    return copy.deepcopy(drift.installed_model())


@pytest.fixture(scope="module")
def known() -> DriftFile:
    return loader.load(contract.ROOT / "drift.yaml", DriftFile)


def test_no_news(whole: Contract, known: DriftFile) -> None:
    assert drift.news(drift.differences(whole, drift.installed_model()), known) == []


def test_every_entry_is_explained_once(known: DriftFile) -> None:
    paths = [entry.path for entry in known.differences]
    assert paths == sorted(paths, key=lambda path: path.split("."))
    assert len(paths) == len(set(paths))


def test_a_difference_that_is_not_listed_is_news(whole: Contract, model: Model, known: DriftFile) -> None:
    model["shapes"]["roleSessionNameType"]["max"] = 128
    told = "the contract says 64, the model 128; not listed in drift.yaml"
    assert drift.news(drift.differences(whole, model), known) == [
        f"AssumeRole.input.RoleSessionName.length.max: {told}",
        f"AssumeRoleWithWebIdentity.input.RoleSessionName.length.max: {told}",
    ]


def test_a_listed_difference_that_is_gone_is_news(whole: Contract, model: Model, known: DriftFile) -> None:
    model["shapes"]["unrestrictedSessionPolicyDocumentType"]["max"] = 2048
    assert drift.news(drift.differences(whole, model), known) == [
        "AssumeRole.input.Policy.length.max: drift.yaml lists 2048 against absent; no such difference"
    ]


def test_a_listed_difference_that_changed_is_news_twice(
    whole: Contract, model: Model, known: DriftFile
) -> None:
    model["shapes"]["unrestrictedSessionPolicyDocumentType"]["max"] = 4096
    assert len(drift.news(drift.differences(whole, model), known)) == 2


def member(model: Model, shape: str, name: str) -> Model:
    found: Model = model["shapes"][shape]["members"][name]
    return found


CHANGES: list[tuple[str, Spoil, list[Difference]]] = [
    (
        "api version",
        lambda m: m["metadata"].update(apiVersion="2030-01-01"),
        [Difference("service.api-version", "2011-06-15", "2030-01-01")],
    ),
    (
        "namespace",
        lambda m: m["metadata"].update(xmlNamespace="urn:x"),
        [Difference("service.xml-namespace", contract.XML_NAMESPACE, "urn:x")],
    ),
    (
        "operation gone",
        lambda m: m["operations"].pop("GetCallerIdentity"),
        [Difference("GetCallerIdentity", "present", "absent")],
    ),
    (
        "operation new",
        lambda m: m["operations"].update(NewOne={"output": {}}),
        [Difference("NewOne", "absent", "present")],
    ),
    (
        "result wrapper",
        lambda m: m["operations"]["GetCallerIdentity"]["output"].update(resultWrapper="Other"),
        [Difference("GetCallerIdentity.result-wrapper", "GetCallerIdentityResult", "Other")],
    ),
    (
        "authentication gone",
        lambda m: m["operations"]["GetCallerIdentity"].update(authtype="none"),
        [Difference("GetCallerIdentity.authentication", "sigv4", "none")],
    ),
    (
        "authentication new",
        lambda m: m["operations"]["AssumeRoleWithSAML"].pop("authtype"),
        [Difference("AssumeRoleWithSAML.authentication", "none", "sigv4")],
    ),
    (
        "input member new",
        lambda m: m["shapes"]["GetSessionTokenRequest"]["members"].update(New={"shape": "tokenType"}),
        [Difference("GetSessionToken.input.New", "absent", "present")],
    ),
    (
        "input member gone",
        lambda m: m["shapes"]["AssumeRoleRequest"]["members"].pop("ExternalId"),
        [Difference("AssumeRole.input.ExternalId", "present", "absent")],
    ),
    (
        "output member gone",
        lambda m: m["shapes"]["GetCallerIdentityResponse"]["members"].pop("UserId"),
        [Difference("GetCallerIdentity.output.UserId", "present", "absent")],
    ),
    (
        "output member deprecated",
        lambda m: member(m, "GetCallerIdentityResponse", "UserId").update(deprecated=True),
        [Difference("GetCallerIdentity.output.UserId.deprecated", "absent", "true")],
    ),
    (
        "type",
        lambda m: m["shapes"]["userNameType"].update(type="timestamp"),
        [Difference("GetFederationToken.input.Name.type", "string", "timestamp")],
    ),
    (
        "required",
        lambda m: m["shapes"]["GetFederationTokenRequest"]["required"].remove("Name"),
        [Difference("GetFederationToken.input.Name.required", "true", "false")],
    ),
    (
        "length",
        lambda m: m["shapes"]["userNameType"].update(min=1),
        [Difference("GetFederationToken.input.Name.length.min", "2", "1")],
    ),
    (
        "length gone",
        lambda m: m["shapes"]["userNameType"].pop("max"),
        [Difference("GetFederationToken.input.Name.length.max", "32", "absent")],
    ),
    (
        "range",
        lambda m: m["shapes"]["RootDurationSecondsType"].update(max=901),
        [Difference("AssumeRoot.input.DurationSeconds.range.max", "900", "901")],
    ),
    (
        "pattern",
        lambda m: m["shapes"]["userNameType"].update(pattern=r"[\w]*"),
        [Difference("GetFederationToken.input.Name.pattern", r"[\w+=,.@-]*", r"[\w]*")],
    ),
    (
        "list bounds",
        lambda m: m["shapes"]["ProvidedContextsListType"].update(max=6),
        [Difference("AssumeRole.input.ProvidedContexts.length.max", "5", "6")],
    ),
    (
        "list entry",
        lambda m: m["shapes"]["webIdentityTokenAudienceStringType"].update(max=10),
        [Difference("GetWebIdentityToken.input.Audience.member.length.max", "1000", "10")],
    ),
    (
        "shape of a structure",
        lambda m: member(m, "GetFederationTokenResponse", "FederatedUser").update(shape="AssumedRoleUser"),
        [
            Difference("FederatedUser", "present", "absent"),
            Difference("GetFederationToken.output.FederatedUser.shape", "FederatedUser", "AssumedRoleUser"),
        ],
    ),
    (
        "data type",
        lambda m: m["shapes"]["Tag"]["required"].remove("Value"),
        [Difference("Tag.Value.required", "true", "false")],
    ),
    (
        "data type member",
        lambda m: m["shapes"]["Credentials"]["members"].update(New={"shape": "tokenType"}),
        [Difference("Credentials.New", "absent", "present")],
    ),
    (
        "error new",
        lambda m: m["operations"]["GetCallerIdentity"].update(errors=[{"shape": "RegionDisabledException"}]),
        [Difference("GetCallerIdentity.errors.RegionDisabledException", "absent", "present")],
    ),
    (
        "error gone",
        lambda m: m["operations"]["AssumeRoot"]["errors"].pop(),
        [Difference("AssumeRoot.errors.ExpiredTokenException", "present", "absent")],
    ),
    (
        "status of an error",
        lambda m: m["shapes"]["JWTPayloadSizeExceededException"]["error"].update(httpStatusCode=413),
        [Difference("GetWebIdentityToken.errors.JWTPayloadSizeExceededException.status", "400", "413")],
    ),
]


@pytest.mark.parametrize(
    ("change", "expected"),
    [row[1:] for row in CHANGES],
    ids=[row[0].replace(" ", "-") for row in CHANGES],
)
def test_a_change_of_the_model_is_noticed(
    whole: Contract, model: Model, change: Spoil, expected: list[Difference]
) -> None:
    before = set(drift.differences(whole, model))
    change(model)
    after = drift.differences(whole, model)
    assert [one for one in after if one not in before] == expected


def test_a_change_of_the_contract_is_noticed(whole: Contract, model: Model) -> None:
    operation = whole.operations["GetFederationToken"]
    name = operation.input["Name"].model_copy(update={"required": False, "pattern": None})
    changed = operation.model_copy(update={"input": operation.input | {"Name": name}})
    spoiled = Contract(**{**vars(whole), "operations": whole.operations | {operation.operation: changed}})
    before = set(drift.differences(whole, model))
    assert [one for one in drift.differences(spoiled, model) if one not in before] == [
        Difference("GetFederationToken.input.Name.pattern", "absent", r"[\w+=,.@-]*"),
        Difference("GetFederationToken.input.Name.required", "false", "true"),
    ]


def test_the_model_is_not_taken_from_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    folder = tmp_path / "sts" / "2011-06-15"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(
        '{"metadata": {}, "operations": {}, "shapes": {}}', encoding="utf-8"
    )
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    monkeypatch.setattr("botocore.loaders.Loader.CUSTOMER_DATA_PATH", str(tmp_path))
    assert "AssumeRole" in drift.installed_model()["operations"]
