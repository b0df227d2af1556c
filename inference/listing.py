"""What a user may choose from: every model with its price, what it can do, and with whose key it is called."""

from inference import agents, choices, gateway
from inference.agents import NotAllowed
from inference.catalogue import MODELS, Model
from inference.custom import UserCredentials
from inference.prices import per_million
from inference.settings import InferenceSettings
from schemas.inference import ActionKey, ModelRow, ServedAt
from schemas.model_settings import ActionRow, ActionSettings, Catalogue, CatalogueModel, ModelSettings


def is_demo(settings: InferenceSettings, user: UserCredentials | None) -> bool:
    """Whether the demo model serves this user."""
    return settings.demo and not (user is not None and user.any)


def rows(settings: InferenceSettings) -> list[ModelRow]:
    """The catalogue in its order: where each model is served, its prices, and whether the platform can call it now, or
    why not."""
    return [_row(model, settings, None) for model in MODELS.values()]


def catalogue(settings: InferenceSettings, user: UserCredentials | None) -> Catalogue:
    """Every model as the user can use it, those of the user's own servers first."""
    own = [model for server in user.servers.values() for model in server.models.values()] if user else []
    return Catalogue(
        models=tuple(_row_of_user(model, settings, user) for model in (*own, *MODELS.values())),
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


def _row_of_user(model: Model, settings: InferenceSettings, user: UserCredentials | None) -> CatalogueModel:
    row, key = _row(model, settings, user), ""
    if row.available:
        key = "user" if user is not None and user.has(row.usable_providers[0]) else "platform"
    return CatalogueModel(**dict(row), key=key, actions=tuple(action for action in ActionKey if _may(action, model)))


def _row(model: Model, settings: InferenceSettings, user: UserCredentials | None) -> ModelRow:
    usable = tuple(provider for provider in model.served if gateway.usable(provider, settings, user))
    served = tuple(
        ServedAt(provider=provider, id=wire_id, input_price=read, output_price=written)
        for provider, wire_id in model.served.items()
        for read, written in [per_million(provider, wire_id)]
    )
    first = next((each for each in served if each.provider in usable), served[0])
    return ModelRow(
        name=model.name,
        title=model.title,
        providers=tuple(model.served),
        usable_providers=usable,
        served=served,
        context_window=model.context_window,
        output_limit=model.output_limit,
        abilities=model.abilities,
        input_price=first.input_price,
        output_price=first.output_price,
        size=model.size,
        available=bool(usable),
        reason=_why_not(model, usable, settings),
    )


def _why_not(model: Model, usable: tuple[str, ...], settings: InferenceSettings) -> str:
    if not usable:
        return "; or ".join(settings.why_not_usable(provider) for provider in model.served)
    if model.retired and usable == (next(iter(model.served)),):
        return "the vendor has announced or completed its retirement; a call may answer model_not_found"
    return ""


def _may(action: ActionKey, model: Model) -> bool:
    return not agents.permitted(action, model)
