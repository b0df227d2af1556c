"""People take everything of theirs along, and delete their accounts, with a proof that it is they who ask."""

import io
import json
import zipfile
from datetime import UTC, datetime

from temporalio.client import Client

from api.key_holders import hash_of
from schemas.traffic import RecordedAnswer
from storage.database import Database
from storage.files import Files
from storage.sessions import SessionRecord, Sessions
from storage.traffic import PAGE, Traffic
from tests.api.conftest import Service, running
from tests.api.people import PASSWORD, Person, bearer, program_tokens, signed_in
from tests.storage.planting import plant
from tests.storage.test_ledger import record


async def delete(person: Person, body: dict[str, str]) -> tuple[int, str]:
    answer = await person.browser.request("DELETE", "/api/account", json=body)
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else ""


async def test_an_account_is_deleted_by_its_person_only(accounts: Service, temporal: Client) -> None:
    async with signed_in(accounts, "leaving@example.org") as person:
        assert await delete(person, {}) == (401, "wrong_password")
        assert await delete(person, {"password": "not the password"}) == (401, "wrong_password")
        assert (await person.browser.get("/api/me")).status_code == 200
        tokens = await program_tokens(accounts, "leaving@example.org")
        assert await delete(person, {"password": PASSWORD}) == (202, "")
        assert (await person.browser.get("/api/me")).status_code == 401
        answer = await accounts.anonymous.get("/api/me", headers=bearer(tokens.access_token))
        assert answer.status_code == 401
        handle = temporal.get_workflow_handle(f"erase-account-{person.id}")
        assert (await handle.describe()).workflow_type == "EraseUser"
        await handle.terminate()


async def test_without_a_password_a_recent_sign_in_is_the_proof(accounts: Service, temporal: Client) -> None:
    async with signed_in(accounts, "by-github@example.org") as person:
        pool = accounts.database.pool
        await pool.execute("UPDATE users SET password_hash = NULL WHERE id = $1", person.id)
        await pool.execute(
            "UPDATE sign_ins SET created_at = now() - interval '11 minutes' WHERE user_id = $1", person.id
        )
        assert await delete(person, {}) == (403, "sign_in_again")
        await pool.execute(
            "UPDATE sign_ins SET created_at = now() - interval '9 minutes' WHERE user_id = $1", person.id
        )
        assert await delete(person, {}) == (202, "")
        await temporal.get_workflow_handle(f"erase-account-{person.id}").terminate()


async def test_guesses_at_the_password_are_counted(accounts: Service) -> None:
    async with signed_in(accounts, "guessed@example.org") as person:
        statuses = [(await delete(person, {"password": f"guess number {n}"}))[0] for n in range(8)]
        assert statuses[-1] == 429


async def test_a_single_user_has_no_account_to_delete(service: Service) -> None:
    answer = await service.signed_in.request("DELETE", "/api/account", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_accounts")


async def taken_along(person: Person) -> zipfile.ZipFile:
    answer = await person.browser.get("/api/account/export")
    assert answer.status_code == 200, answer.text
    return zipfile.ZipFile(io.BytesIO(answer.content))


async def test_everything_is_taken_along_and_no_secret(accounts: Service) -> None:
    async with signed_in(accounts, "taking@example.org") as person:
        made = await person.browser.post("/api/me/api-keys", json={"name": "mine", "scopes": ["read"]})
        await Sessions(accounts.database).create(
            SessionRecord(id="taken", user_id=person.id, title="My app", prompt="An app", mode="deterministic")
        )
        link = (await person.browser.post("/api/sessions/taken/share-links", json={})).json()
        for text in ("first", "second"):
            await Files(accounts.database).put(
                "taken", "src/App.tsx", f"// {text}", author="model", reason="", operation_id=text
            )
        tables = {"messages", "transcripts", "screenshots", "model_attempts", "vault_user_keys", "vault_secrets"}
        tables |= {"images", "custom_providers", "audit_log", "blueprints", "user_identities"}
        await plant(accounts.database, person.id, "taken", "mark-of-mine", only=frozenset(tables))
        await plant(
            accounts.database, "user-else", "else", "mark-of-others", only=frozenset(tables | {"users", "sessions"})
        )
        archive = await taken_along(person)
        assert archive.testzip() is None
        texts = {name: archive.read(name) for name in archive.namelist()}
        assert texts["sessions/taken/files/src/App.tsx"] == b"// second"
        contents = [text for name, text in texts.items() if name.startswith("sessions/taken/contents/")]
        assert b"// first" in contents and any(b"mark-of-mine sha256" in text for text in contents)
        assert any(name.startswith("pictures/img-taken") for name in texts)
        profile = json.loads(texts["account/profile.jsonl"])
        assert profile["email"] == "taking@example.org"
        for name in ("messages", "transcripts", "screenshots", "blueprints", "versions", "session"):
            assert texts[f"sessions/taken/{name}.jsonl"].strip(), name
        for name in ("model-calls", "audit", "provider-keys", "own-servers", "api-keys", "accounts-elsewhere"):
            assert texts[f"account/{name}.jsonl"].strip(), name
        whole = b"\n".join(texts.values())
        key, secret = made.json()["key"], link["url"].rpartition("/")[2].rpartition("#")[2]
        for hidden in (key, secret, hash_of(key).hex(), "argon2", "mark-of-others", "user-else", "password_hash"):
            assert hidden.encode() not in whole, hidden
        assert person.browser.cookies and not any(value.encode() in whole for value in person.browser.cookies.values())


async def test_the_single_user_takes_everything_along_too(service: Service) -> None:
    await Sessions(service.database).create(SessionRecord(id="alone", user_id="local", prompt="An app", mode="smart"))
    kept = Traffic(service.database, service.app.state.services.vault)
    said = RecordedAnswer(action="blueprint", fingerprint="f", provider="p", model="m", text="What a model said")
    for number in range(PAGE + 1):
        call = record(session_id="alone", user_id="local", call_number=number, started_at=datetime.now(UTC))
        await kept.put(call, said)
    answer = await service.signed_in.get("/api/account/export")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.read("account/profile.jsonl")
    answers = [json.loads(line) for line in archive.read("sessions/alone/answers.jsonl").splitlines()]
    assert [each["answer"]["text"] for each in answers] == [said.text] * (PAGE + 1)
    assert answer.headers["content-disposition"].endswith('.zip"')


async def test_one_download_at_a_time(module_database: Database, temporal: Client) -> None:
    async with running(module_database, temporal) as service:
        service.app.state.services.exporting.add("local")
        answer = await service.signed_in.get("/api/account/export")
        assert (answer.status_code, answer.json()["code"]) == (429, "limit_reached")
