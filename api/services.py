"""What the routes work with, put together once per process."""

from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from temporalio.client import Client

from api.auth import SignIn
from api.session_workflows import SessionWorkflows
from api.settings import ApiSettings
from api.stream import Stream
from storage.blobs import Blobs
from storage.database import Database
from storage.files import Files
from storage.messages import Messages
from storage.screenshots import Screenshots
from storage.sessions import Sessions


@dataclass(frozen=True)
class Services:
    """The parts behind the routes. The caller of `create_app` owns the database and the Temporal client."""

    settings: ApiSettings
    sign_in: SignIn
    database: Database
    workflows: SessionWorkflows
    sessions: Sessions
    messages: Messages
    files: Files
    blobs: Blobs
    screenshots: Screenshots
    stream: Stream

    @classmethod
    def of(cls, settings: ApiSettings, database: Database, temporal: Client) -> Self:
        """Everything that follows from these three."""
        return cls(
            settings=settings,
            sign_in=SignIn(settings),
            database=database,
            workflows=SessionWorkflows(temporal),
            sessions=Sessions(database),
            messages=Messages(database),
            files=Files(database),
            blobs=Blobs(database),
            screenshots=Screenshots(database),
            stream=Stream(database),
        )


def services_of(request: Request) -> Services:
    """The services of the app that handles this request."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services
