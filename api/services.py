"""What the routes work with, put together once per process."""

from dataclasses import dataclass, field
from typing import Self

from starlette.requests import Request
from temporalio.client import Client
from temporalio.converter import PayloadCodec

from api.access_tokens import AccessTokens
from api.account_sign_in import AccountSignIn
from api.auth import SignIn
from api.background import Background
from api.guests import Guests
from api.key_holders import KeyHolders
from api.mail import FolderMailer, Mailer, NoMailer, SmtpMailer
from api.model_calls import ModelCalls
from api.oauth import OAuth
from api.passwords import Passwords
from api.session_workflows import SessionWorkflows
from api.settings import ApiSettings
from api.stream import Stream
from api.token_sign_in import TokenSignIn
from api.watchers import Watchers
from inference import Inference
from storage.api_keys import ApiKeys
from storage.attempts import Attempts
from storage.audit import Audit
from storage.blobs import Blobs
from storage.budgets import Budgets
from storage.conflicts import Conflicts
from storage.database import Database
from storage.edits import Edits
from storage.files import Files
from storage.git import Git
from storage.identities import Identities
from storage.images import Images
from storage.keyring import KeySource
from storage.ledger import Ledger
from storage.limits import Limits
from storage.messages import Messages
from storage.model_choices import ModelChoices
from storage.one_time_tokens import OneTimeTokens
from storage.preview_access import PreviewAccess
from storage.preview_reports import PreviewReports
from storage.screenshots import Screenshots
from storage.sessions import Sessions
from storage.shares import Shares
from storage.sign_ins import SignIns
from storage.users import Users
from storage.vault import Vault
from storage.versions import Versions
from storage.webhooks import Webhooks


@dataclass(frozen=True)
class Services:
    """The parts behind the routes. The caller of `create_app` owns database, Temporal client and model client."""

    settings: ApiSettings
    sign_in: SignIn
    database: Database
    workflows: SessionWorkflows
    sessions: Sessions
    messages: Messages
    files: Files
    blobs: Blobs
    screenshots: Screenshots
    preview_access: PreviewAccess
    preview_reports: PreviewReports
    edits: Edits
    conflicts: Conflicts
    versions: Versions
    git: Git
    images: Images
    stream: Stream
    shares: Shares
    watchers: Watchers
    users: Users
    sign_ins: SignIns
    identities: Identities
    one_time_tokens: OneTimeTokens
    attempts: Attempts
    api_keys: ApiKeys
    audit: Audit
    access_tokens: AccessTokens
    passwords: Passwords
    oauth: OAuth
    mailer: Mailer
    background: Background
    inference: Inference
    vault: Vault
    model_choices: ModelChoices
    model_calls: ModelCalls
    budgets: Budgets
    limits: Limits
    webhooks: Webhooks
    codec: PayloadCodec | None
    exporting: set[str] = field(default_factory=set)
    """Users whose data are being downloaded."""

    @classmethod
    def of(
        cls, settings: ApiSettings, database: Database, temporal: Client, inference: Inference, keys: KeySource
    ) -> Self:
        """Everything that follows from these."""
        sign_ins, api_keys = SignIns(database), ApiKeys(database)
        holders = KeyHolders(api_keys)
        stream = Stream(database)
        tokens = AccessTokens(database, settings.derive_key("signing keys"), settings.origin)
        return cls(
            settings=settings,
            sign_in=TokenSignIn(settings, holders)
            if settings.auth == "local"
            else AccountSignIn(settings, sign_ins, tokens, holders, Guests(settings, Shares(database))),
            database=database,
            workflows=SessionWorkflows(temporal),
            sessions=Sessions(database),
            messages=Messages(database),
            files=Files(database),
            blobs=Blobs(database),
            screenshots=Screenshots(database),
            preview_access=PreviewAccess(database),
            preview_reports=PreviewReports(database),
            edits=Edits(database),
            conflicts=Conflicts(database),
            versions=Versions(database),
            git=Git(database),
            images=Images(database),
            stream=stream,
            shares=Shares(database),
            watchers=Watchers(database, stream.stir),
            users=Users(database),
            sign_ins=sign_ins,
            identities=Identities(database),
            one_time_tokens=OneTimeTokens(database),
            attempts=Attempts(database),
            api_keys=api_keys,
            audit=Audit(database),
            access_tokens=tokens,
            passwords=Passwords(),
            oauth=OAuth(settings.oauth, settings.derive_key("oauth flow"), settings.origin),
            mailer=_mailer(settings),
            background=Background(),
            inference=inference,
            vault=Vault(database, keys),
            model_choices=ModelChoices(database),
            model_calls=ModelCalls(inference, Ledger(database, settings.limits)),
            budgets=Budgets(database),
            limits=Limits(database, settings.limits),
            webhooks=Webhooks(database),
            codec=temporal.data_converter.payload_codec,
        )


def _mailer(settings: ApiSettings) -> Mailer:
    if settings.smtp_url is not None:
        return SmtpMailer(settings.smtp_url, settings.mail_from)
    return FolderMailer(settings.mail_folder) if settings.mail_folder is not None else NoMailer()


def services_of(request: Request) -> Services:
    """The services of the app that handles this request."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services
