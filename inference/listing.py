"""What a user may choose from: every model with its price, what it can do, and with whose key it is called."""

from inference import agents, choices, gateway
from inference.agents import NotAllowed
from inference.catalogue import MODELS, Model, rows
from inference.custom import UserCredentials
from inference.prices import per_million
from inference.settings import InferenceSettings
from schemas.inference import ActionKey
from schemas.model_settings import ActionRow, ActionSettings, Catalogue, CatalogueModel, ModelSettings


def is_demo(settings: InferenceSettings, user: UserCredentials | None) -> bool:
    """Whether the demo model serves this user."""
    return settings.demo and not (user is not None and user.any)


def catalogue(settings: InferenceSettings, user: UserCredentials | None) -> Catalogue:
    """Every model, those of the user's own servers first."""
    own = [model for server in user.servers.values() for model in server.models.values()] if user else []
    reasons = {row.name: row.reason for row in rows(settings)}
    return Catalogue(
        models=tuple(_row(model, settings, user, reasons.get(model.name, "")) for model in (*own, *MODELS.values())),
        demo=is_demo(settings, user),
    )


def usable_models(settings: InferenceSettings, user: UserCredentials | None) -> list[str]:
    """Names of the models that a call of the user can go to."""
    if is_demo(settings, user):
        return ["demo/demo"]
    return [row.name for row in catalogue(settings, user).models if row.available]


def action_row(
    action: ActionKey, chosen: ModelSettings, settings: InferenceSettings, user: UserCredentials | None
) -> ActionRow:
    """One action as its user sees it. `problem` says why a call would be refused."""
    mine = chosen.get(action, ActionSettings())
    problem = ""
    try:
        choices.check(mine, action, settings, user)
    except NotAllowed as error:
        problem = f"{error}."
    return ActionRow(
        action=action,
        effective=choices.effective(mine, action, settings),
        chosen=mine,
        default=choices.effective(None, action, settings),
        can_disable=action in choices.CAN_DISABLE,
        allowed_models=(
            *(m.name for s in (user.servers.values() if user else ()) for m in s.models.values() if _may(action, m)),
            *agents.allowed(action),
        ),
        problem=problem,
    )


def _row(model: Model, settings: InferenceSettings, user: UserCredentials | None, reason: str) -> CatalogueModel:
    usable = tuple(provider for provider in model.served if gateway.usable(provider, settings, user))
    input_price, output_price = per_million(usable[0] if usable else next(iter(model.served)), model.served)
    key = ""
    if usable:
        key = "user" if user is not None and user.has(usable[0]) else "platform"
    return CatalogueModel(
        name=model.name,
        title=model.title,
        providers=tuple(model.served),
        usable_providers=usable,
        context_window=model.context_window,
        output_limit=model.output_limit,
        abilities=model.abilities,
        input_price=input_price,
        output_price=output_price,
        size=model.size,
        available=bool(usable),
        reason="" if usable and not model.retired else reason,
        key=key,
        actions=tuple(action for action in ActionKey if _may(action, model)),
    )


def _may(action: ActionKey, model: Model) -> bool:
    return not agents.permitted(action, model)
