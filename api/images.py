"""Pictures for prompts and messages: uploaded first, then named by their id.

A picture is decoded completely before it is taken, and never served as anything but what it was found to be.
"""

import asyncio
import warnings
from io import BytesIO
from typing import Final, Literal, NamedTuple, cast

from PIL import Image, UnidentifiedImageError
from starlette.requests import Request
from starlette.responses import Response

from api.access import session_of
from api.auth import principal_of
from api.bodies import read_bytes
from api.endpoints import ANSWER_SECONDS, Answer, Endpoint, JsonResponse
from api.problems import (
    BAD_IMAGE,
    DATABASE_AWAY,
    NO_IMAGE,
    NO_SESSION,
    SLOW_BODY,
    TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
    WRONG_TYPE,
    Refusal,
)
from api.services import Services, services_of
from schemas.session import ImageRef
from storage.images import ImageMissing, StoredImage, TooManyImages

MAX_IMAGE_BYTES: Final = 10 * 1024 * 1024
MAX_SIDE: Final = 8_000
MAX_PIXELS: Final = 25_000_000  # 100 MB decoded
MEDIA_TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
UPLOAD_SECONDS: Final = 60.0
DECODE_SECONDS: Final = 10.0

_decoding = asyncio.Semaphore(2)
"""Decoding takes memory: as many at once as this process can bear."""


class Decoded(NamedTuple):
    """What a picture turned out to be."""

    media_type: Literal["image/png", "image/jpeg", "image/webp"]
    width: int
    height: int


async def upload(request: Request) -> Response:
    media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media_type not in MEDIA_TYPES.values():
        raise Refusal(
            WRONG_TYPE, "The body must be a picture: image/png, image/jpeg or image/webp.", next_action=_SEND_PICTURE
        )
    content = await read_bytes(request, MAX_IMAGE_BYTES, UPLOAD_SECONDS)
    async with _decoding:
        found = await asyncio.to_thread(decode, content)
    user_id = principal_of(request).user_id
    try:
        image = await services_of(request).images.put(
            user_id, content, media_type=found.media_type, width=found.width, height=found.height
        )
    except TooManyImages:
        raise Refusal(TOO_MANY, "You have uploaded many pictures that no message shows yet.") from None
    return JsonResponse(image, status_code=201, headers={"Location": f"/api/images/{image.id}"})


_SEND_PICTURE: Final = "Send the picture itself as the body, with its media type as Content-Type."


def decode(content: bytes) -> Decoded:
    """Decode a picture to its last pixel. Raises Refusal BAD_IMAGE for what is none, is too large, or moves."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=tuple(MEDIA_TYPES)) as image:
                width, height = image.size
                if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
                    raise Refusal(BAD_IMAGE, f"The picture has {width} × {height} pixels, which is too many.")
                if getattr(image, "n_frames", 1) > 1:
                    raise Refusal(BAD_IMAGE, "The picture moves; only still pictures can be sent.")
                image.load()
                kind = MEDIA_TYPES[image.format or ""]
    except Refusal:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refusal(BAD_IMAGE, "The body is no PNG, JPEG or WebP picture that can be shown.") from error
    except Exception as error:  # a decoder may raise anything at all for a broken picture
        raise Refusal(BAD_IMAGE, "The picture is broken.") from error
    return Decoded(cast(Literal["image/png", "image/jpeg", "image/webp"], kind), width, height)


async def read_own(request: Request) -> Response:
    services, image_id = services_of(request), request.path_params["image_id"]
    try:
        (image,) = await services.images.of_user(principal_of(request).user_id, [image_id])
    except ImageMissing:
        raise Refusal(NO_IMAGE, "You have uploaded no such picture.") from None
    return await _show(services, image)


async def read_of_session(request: Request) -> Response:
    session, services = await session_of(request, "view"), services_of(request)
    try:
        image = await services.images.of_session(session.id, request.path_params["image_id"])
    except ImageMissing:
        raise Refusal(NO_IMAGE, "No message of the session shows such a picture.") from None
    return await _show(services, image)


async def _show(services: Services, image: StoredImage) -> Response:
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",  # the id names the content: it never changes
        "Content-Disposition": f'inline; filename="{image.id}.{image.media_type.removeprefix("image/")}"',
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return Response(await services.blobs.get(image.sha256), headers=headers, media_type=image.media_type)


async def uploaded(services: Services, user_id: str, image_ids: list[str]) -> list[ImageRef]:
    """The user's pictures of these ids. Raises Refusal NO_IMAGE."""
    if not image_ids:
        return []
    try:
        images = await services.images.of_user(user_id, image_ids)
    except ImageMissing as missing:
        raise Refusal(NO_IMAGE, f"You have uploaded no picture {missing}.") from None
    return [as_ref(image) for image in images]


def as_ref(image: StoredImage) -> ImageRef:
    """A picture as messages name it."""
    return ImageRef.model_validate(image.model_dump(include=set(ImageRef.model_fields)))


EXAMPLE_IMAGE: Final = ImageRef(
    id="img-3f2a9c4e5d6b7081a2b3c4d5e6f70819", media_type="image/png", width=1280, height=800, size=48_213
)
ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/api/images",
        handler=upload,
        name="upload_image",
        summary="Upload a picture (PNG, JPEG, WebP; at most 10 MB) for a prompt or a message, which names it by its id",
        upload=tuple(MEDIA_TYPES.values()),
        answer=Answer(
            status=201,
            description="The picture is kept for a day; longer once a message shows it.",
            schema=ImageRef,
            example=EXAMPLE_IMAGE,
            headers=(("Location", "Address of the picture."),),
        ),
        problems=(BAD_IMAGE, WRONG_TYPE, TOO_LARGE, SLOW_BODY, TOO_MANY, DATABASE_AWAY, TOO_SLOW),
        seconds=UPLOAD_SECONDS + DECODE_SECONDS + ANSWER_SECONDS,
    ),
    Endpoint(
        method="GET",
        path="/api/images/{image_id}",
        handler=read_own,
        name="read_image",
        summary="A picture that you uploaded",
        answer=Answer(description="The picture.", media_type="image/png", schema=bytes),
        problems=(NO_IMAGE, DATABASE_AWAY, TOO_SLOW),
    ),
    Endpoint(
        method="GET",
        path="/api/sessions/{session_id}/images/{image_id}",
        handler=read_of_session,
        name="read_session_image",
        guests=True,
        summary="A picture that the session's prompt or one of its messages shows",
        answer=Answer(description="The picture.", media_type="image/png", schema=bytes),
        problems=(NO_SESSION, NO_IMAGE, DATABASE_AWAY, TOO_SLOW),
    ),
)
