"""A change is in force for the very next send, whichever process serves it: nothing is kept."""

from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from support.destinations import FAR, path_of
from support.factories import US_NUMBER, Factory, Tenant
from support.other_process import Answered, OtherProcess, other_process

LAST = "{the rule added last}"


def _turns(owner: Tenant) -> list[tuple[str, str, Any, int, str | None]]:
    """Changes that block and open again: each with what the next sends of owner and child answer."""
    root = path_of(owner.workspace_id)
    workspace = f"/v1/workspaces/{owner.workspace_id}"
    rule = {"kind": "prefix", "value": "+1202", "action": "blocked"}
    us, reason = {"destinations": ["US"]}, {"reason": "an incident"}
    blocked = "DestinationBlocked"
    return [
        ("POST", f"{root}/block", us, 200, blocked),
        ("POST", f"{root}/allow", us, 200, None),
        ("POST", f"{root}/rules", rule, 201, blocked),
        ("DELETE", f"{root}/rules/{LAST}", None, 204, None),
        ("PUT", root, {"destinations": {}}, 200, blocked),
        ("POST", f"{root}/allow", us | {"until": FAR}, 200, None),
        ("POST", f"{root}/block", us, 200, blocked),
        ("PUT", root, {"destinations": {"US": "allowed"}}, 200, None),
        ("POST", f"{workspace}/freeze", reason, 200, "WorkspaceSuspended"),
        ("POST", f"{workspace}/thaw", reason, 200, None),
    ]


def _send(process: OtherProcess, tenant: Tenant) -> Answered:
    body = {
        "use_case_id": str(tenant.use_case_id),
        "to_phone_number": US_NUMBER,
        "message": "hello",
    }
    return process("POST", "/v1/sms", body, tenant.keys[Role.SENDER])


def _code(answer: Answered) -> str | None:
    return None if answer.status == 201 else str(answer.json["code"])


def test_no_send_of_another_process_follows_a_stale_policy(
    database: Database, tmp_path: Path
) -> None:
    key = Fernet.generate_key().decode()
    factory = Factory(database, Cipher([key]))
    owner = factory.tenant(factory.organization())
    child = factory.tenant(
        owner.organization_id, "child", parent_id=owner.workspace_id, inherits=True
    )
    turns, rule_id = _turns(owner), ""
    with (
        other_process(database, key, tmp_path) as one,
        other_process(database, key, tmp_path) as two,
    ):
        # Each change is made once by either process.
        for place in range(2 * len(turns)):
            changing, sending = (one, two) if (place + place // len(turns)) % 2 else (two, one)
            method, path, body, status, code = turns[place % len(turns)]
            path = path.replace(LAST, rule_id)
            changed = changing(method, path, body, owner.keys[Role.ADMIN])
            rule_id = changed.json["id"] if status == 201 else rule_id
            assert changed.status == status, changed
            sent, of_child = _send(sending, owner), _send(sending, child)
            assert _code(sent) == code, (place, path, sent)
            # Freezing is of one workspace alone; the policy is the child's too.
            frozen = code == "WorkspaceSuspended"
            assert _code(of_child) == (None if frozen else code), (place, path, of_child)
            if code == "DestinationBlocked":
                assert f'"{sent.json["details"]["revision"]}"' == changed.etag
                assert sent.json["details"]["revision"] == of_child.json["details"]["revision"]
