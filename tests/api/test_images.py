"""Pictures over HTTP: what is none is refused, what is one belongs to who sent it and to the session that shows it."""

import io
import struct
import uuid
import zlib

import pytest
from PIL import Image

from api.images import MAX_IMAGE_BYTES
from schemas.http import Problem, SessionCreated, SessionSnapshot
from schemas.session import ImageRef, QueuedMessage
from storage.images import Images
from storage.sessions import SessionRecord, Sessions
from tests.api.conftest import TOKEN, Service

pytestmark = pytest.mark.usefixtures("worker")


def picture(kind: str = "PNG", size: tuple[int, int] = (3, 2), **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind, **more)
    return out.getvalue()


def claimed(width: int, height: int) -> bytes:
    """A PNG that says it is as large as this, and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


async def upload(service: Service, content: bytes, media_type: str = "image/png") -> ImageRef:
    answer = await service.signed_in.post("/api/images", content=content, headers={"Content-Type": media_type})
    assert answer.status_code == 201, answer.text
    return ImageRef.model_validate_json(answer.content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_comes_back_as_what_it_is(service: Service, kind: str) -> None:
    content = picture(kind)
    image = await upload(service, content, "image/png")  # what it is counts, not what it is called
    assert (image.media_type, image.width, image.height) == (f"image/{kind.lower()}", 3, 2)
    answer = await service.signed_in.get(f"/api/images/{image.id}")
    assert answer.content == content and answer.headers["content-type"] == image.media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith(f'inline; filename="{image.id}.')
    assert (await service.anonymous.get(f"/api/images/{image.id}")).status_code == 401


MOVING = io.BytesIO()
Image.new("RGB", (2, 2), "red").save(
    MOVING, "WEBP", save_all=True, append_images=[Image.new("RGB", (2, 2), "blue")], duration=100
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>alert(1)</script>",
        picture("GIF"),
        picture("BMP"),
        picture(size=(60, 60))[:-60],
        picture("JPEG", size=(200, 200))[:300],
        claimed(60_000, 60_000),
        claimed(7_999, 7_999),
        claimed(10, 10),
        MOVING.getvalue(),
    ],
    ids=["empty", "svg", "html", "gif", "bmp", "cut", "cut-jpeg", "bomb", "many-pixels", "hollow", "moving"],
)
async def test_what_is_no_picture_is_refused(service: Service, content: bytes) -> None:
    answer = await service.signed_in.post("/api/images", content=content, headers={"Content-Type": "image/png"})
    assert (answer.status_code, Problem.model_validate_json(answer.content).code) == (422, "bad_image")


async def test_size_and_type_are_bounded(service: Service) -> None:
    large = b"\x89PNG" + b"x" * MAX_IMAGE_BYTES
    answer = await service.signed_in.post("/api/images", content=large, headers={"Content-Type": "image/png"})
    assert answer.status_code == 413
    for media_type in ("image/svg+xml", "text/html", "application/json", ""):
        answer = await service.signed_in.post(
            "/api/images", content=picture(), headers={"Content-Type": media_type} if media_type else {}
        )
        assert answer.status_code == 415


async def test_the_page_uploads_by_its_cookie_and_no_form_can(service: Service) -> None:
    by_token = await service.anonymous.get(f"/?token={TOKEN}")
    page = {
        "Cookie": by_token.headers["set-cookie"].partition(";")[0],
        "Origin": service.url,
        "Sec-Fetch-Site": "same-origin",
    }
    for media_type, status in (("image/png", 201), ("text/plain", 415), ("multipart/form-data; boundary=x", 415)):
        headers = {**page, "Content-Type": media_type}
        answer = await service.anonymous.post("/api/images", content=picture(), headers=headers)
        assert answer.status_code == status
    foreign = {**page, "Content-Type": "image/png", "Origin": "https://evil.example"}
    assert (await service.anonymous.post("/api/images", content=picture(), headers=foreign)).status_code == 403


async def test_a_prompt_and_a_message_show_pictures(service: Service, images: Images, sessions: Sessions) -> None:
    image, other = await upload(service, picture()), await upload(service, picture(size=(5, 5)))
    created = await service.signed_in.post("/api/sessions", json={"prompt": "Like this", "image_ids": [image.id]})
    session = SessionCreated.model_validate_json(created.content).id
    await sessions.create(SessionRecord(id=session, prompt="Like this", mode="smart"))
    said = {"id": "m-1", "text": "Rather so", "image_ids": [other.id]}
    answer = await service.signed_in.post(f"/api/sessions/{session}/messages", json=said)
    assert answer.status_code == 202, answer.text
    snapshot = SessionSnapshot.model_validate_json((await service.signed_in.get(f"/api/sessions/{session}")).content)
    assert snapshot.progress.images == [image]
    assert snapshot.conversation[0].images == [other]
    await images.attach(session, "m-1", [other])
    shown = await service.signed_in.get(f"/api/sessions/{session}/images/{other.id}")
    assert shown.status_code == 200 and shown.headers["content-type"] == "image/png"
    hidden = await service.signed_in.get(f"/api/sessions/{session}/images/{'img-' + '0' * 32}")
    assert hidden.status_code == 404


async def test_strange_pictures_cannot_be_sent(service: Service, images: Images) -> None:
    strange = await images.put("somebody else", picture(), media_type="image/png", width=3, height=2)
    for ids, status in (([strange.id], 404), ([f"img-{'0' * 32}"], 404), (["../x"], 422), ([strange.id] * 3, 422)):
        answer = await service.signed_in.post("/api/sessions", json={"prompt": "x", "image_ids": ids})
        assert answer.status_code == status, ids
    assert (await service.signed_in.get(f"/api/images/{strange.id}")).status_code == 404


async def test_a_message_is_edited_and_withdrawn(service: Service, sessions: Sessions, images: Images) -> None:
    created = await service.signed_in.post("/api/sessions", json={"prompt": uuid.uuid4().hex})
    session = SessionCreated.model_validate_json(created.content).id
    await sessions.create(SessionRecord(id=session, prompt="x", mode="smart"))
    url = f"/api/sessions/{session}/messages"
    await service.signed_in.post(url, json={"id": "m-1", "text": "first"})
    image = await upload(service, picture())
    answer = await service.signed_in.put(f"{url}/m-1", json={"text": "second", "image_ids": [image.id]})
    edited = QueuedMessage.model_validate_json(answer.content)
    assert (edited.text, edited.images) == ("second", [image])
    answer = await service.signed_in.delete(f"{url}/m-1")
    assert QueuedMessage.model_validate_json(answer.content).state == "withdrawn"
    for method, body in (("PUT", {"text": "x"}), ("DELETE", None)):
        for name in ("m-2", "a b", "x" * 80):
            answer = await service.signed_in.request(method, f"{url}/{name}", json=body)
            assert answer.status_code == 404
            assert Problem.model_validate_json(answer.content).code == "message_not_found"
