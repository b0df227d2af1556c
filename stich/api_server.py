"""One API process: wiring and life."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

import stich
from api.app import create_app
from api.settings import ApiSettings, OAuthProvider
from inference import Inference
from inference.settings import InferenceSettings, InvalidSetting
from sandbox.catalogue import templates
from schemas.http import TemplateSummary
from stich.collector import spare_what_stays
from stich.database import open_database, required_url
from stich.demo.recording import BUILT_IN, RecordingInvalid, load_all
from stich.errors import StichError
from stich.home import Home, token_of
from stich.jurisdiction import claim_database, claim_namespace
from stich.keys import codec_ticket, master_keys
from stich.logging import configure_logging
from stich.previews import PreviewPlace, naming_secret
from stich.serving import listening_socket, serving, told_to_stop, until_stopped
from stich.settings import Settings
from stich.telemetry import telemetry
from stich.temporal import connect_temporal, require_namespace

WEB: Final = Path(stich.__file__).parent.parent / "web" / "dist"
EXAMPLES: Final = (
    "A kanban board with drag and drop that remembers its cards",
    "A personal budget tracker with charts by month and category",
    "A recipe book with search, servings that scale, and a shopping list",
)


async def run_api(settings: Settings, env: Mapping[str, str]) -> None:
    """Serve until SIGINT or SIGTERM. Raises StichError when it cannot start."""
    url = required_url(settings)
    configure_logging(settings, "api")
    api_settings = api_settings_from(settings, env)
    listener = listening_socket(settings, settings.port)
    stop = told_to_stop()
    temporal = await connect_temporal(settings, env)
    with telemetry(env, "api"):
        async with (
            open_database(url, settings.database_connections, "stich-api") as database,
            Inference(small_calls(env)) as inference,
        ):
            await claim_database(database, settings.jurisdiction)
            if settings.jurisdiction is not None:
                await require_namespace(temporal)
                await claim_namespace(temporal, settings.jurisdiction)
            app = create_app(
                api_settings,
                database=database,
                temporal=temporal,
                inference=inference,
                vault_keys=master_keys(settings),
            )
            async with serving(app, listener) as server:
                spare_what_stays()
                if settings.ready_file is not None:
                    settings.ready_file.touch()
                await until_stopped(stop, server)


def api_settings_from(settings: Settings, env: Mapping[str, str]) -> ApiSettings:
    """What the API room is told. Raises StichError for what it refuses."""
    try:
        inference = InferenceSettings.from_env(env)
        place = PreviewPlace.of(settings)
        return ApiSettings(
            token=SecretStr(token_of(settings)),
            port=settings.port,
            preview_origin=place.source,
            preview_entrance=partial(place.entrance, naming_secret(token_of(settings))),
            readdressed=partial(place.readdressed, naming_secret(token_of(settings))),
            version=stich.__version__,
            public_url=settings.public_url,
            allowed_hosts=frozenset(settings.allowed_hosts),
            allowed_origins=frozenset(settings.allowed_origins),
            auth=settings.auth,
            jurisdiction=settings.jurisdiction,
            targets=settings.targets,
            sign_up=settings.sign_up == "open",
            trusted_proxies=settings.trusted_proxies,
            smtp_url=settings.smtp_url,
            mail_from=settings.mail_from,
            limits=settings.limits,
            github_api=settings.github,
            webhook_url=settings.webhook_url,
            webhook_secret=settings.webhook_secret,
            mail_folder=Home(settings.home).mail,
            oauth=tuple(oauth_providers(settings)),
            web_dist=WEB if WEB.is_dir() else None,
            temporal_ui=settings.temporal_ui,
            codec_ticket=SecretStr(codec_ticket(token_of(settings))),
            templates=tuple(
                TemplateSummary(
                    name=entry.info.name,
                    title=entry.info.title,
                    description=entry.info.description,
                    protected_files=entry.info.protected_files,
                )
                for entry in templates().values()
            ),
            examples=recorded_prompts() if inference.demo else EXAMPLES,
        )
    except InvalidSetting as error:
        raise StichError(f"A setting of the model providers cannot be used: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise StichError(f"The setting {first['loc'][0]} of the API cannot be used: {first['msg']}.") from None


def small_calls(env: Mapping[str, str]) -> InferenceSettings:
    """The model providers as the API uses them: to try a key or a model while somebody waits."""
    return InferenceSettings.from_env(env).model_copy(update={"first_token_timeout": 20.0, "stall_timeout": 10.0})


def oauth_providers(settings: Settings) -> Iterator[OAuthProvider]:
    """The providers whose accounts may sign people in: those with a client id."""
    if settings.google_client_id and settings.google_client_secret:
        yield OAuthProvider(
            name="google",
            client_id=settings.google_client_id,
            client_secret=settings.google_client_secret,
            authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
            token_url="https://oauth2.googleapis.com/token",
            jwks_url="https://www.googleapis.com/oauth2/v3/certs",
            issuer="https://accounts.google.com",
        )
    if settings.github_client_id and settings.github_client_secret:
        yield OAuthProvider(
            name="github",
            client_id=settings.github_client_id,
            client_secret=settings.github_client_secret,
            authorize_url="https://github.com/login/oauth/authorize",
            token_url="https://github.com/login/oauth/access_token",
            user_url="https://api.github.com/user",
        )


def recorded_prompts() -> tuple[str, ...]:
    """What the demo model can be asked for."""
    try:
        return tuple(recording.example_prompt for recording in load_all(BUILT_IN))
    except RecordingInvalid as error:
        raise StichError(f"The demo model's recordings cannot be read: {error}") from None
