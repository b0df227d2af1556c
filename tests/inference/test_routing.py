"""Which provider and model serves a call, with whose key, and who is told what."""

from typing import Any

import pytest
from pydantic import SecretStr

from inference import Inference, agents, catalogue, listing, routing
from inference.custom import UserCredentials, server
from inference.errors import ContextTooLong, NotConfigured, Overloaded, RateLimited, to_application_error
from inference.gateway import build_gateway_url, configuration_for_model, endpoint
from inference.routing import Tried
from inference.settings import GatewaySettings, InferenceSettings, InvalidSetting
from schemas.inference import ActionKey, ImagePart, Message, ModelCall, ModelOverrides, Speed
from schemas.model_settings import CustomModel
from tests.inference.conftest import shared_client

KEYS = {
    "OPENAI_API_KEY": "sk-openai-0000000000",
    "ANTHROPIC_API_KEY": "sk-ant-0000000000",
    "GEMINI_API_KEY": "AIza-0000000000",
    "OPENROUTER_API_KEY": "sk-or-0000000000",
    "CEREBRAS_API_KEY": "csk-0000000000",
    "GROQ_API_KEY": "gsk_0000000000",
}
GATEWAY = {"CLOUDFLARE_AI_GATEWAY_URL": "https://gateway.test/v1/acc/gw/", "CLOUDFLARE_AI_GATEWAY_TOKEN": "aig-token"}


def env(*names: str, **more: str) -> InferenceSettings:
    return InferenceSettings.from_env({name: KEYS[name] for name in names} | more)


def call(action: ActionKey = ActionKey.PHASE_IMPLEMENTATION, **changes: Any) -> ModelCall:
    values: dict[str, Any] = {
        "messages": (Message(role="user", content="Hi."),),
        "session_id": "s",
        "operation_id": "o",
    }
    return ModelCall(action=action, **(values | changes))


def steps(settings: InferenceSettings, asked: ModelCall | None = None, **more: Any) -> list[tuple[str, str]]:
    asked = asked or call()
    route = routing.route(asked, agents.configuration(asked.action, asked.overrides), settings, **more)
    return [(step.provider, step.model.name) for step in route]


class TestRoute:
    def test_the_model_everywhere_it_is_served_then_the_fallback(self) -> None:
        asked = call(overrides=ModelOverrides(fallback="openai/gpt-4.1"))
        assert steps(env(*KEYS), asked) == [
            ("google", "google/gemini-2.5-pro"), ("openrouter", "google/gemini-2.5-pro"),
            ("openai", "openai/gpt-4.1"), ("openrouter", "openai/gpt-4.1"),
        ]  # fmt: skip

    def test_the_attempt_walks_it_and_stays_at_its_end(self) -> None:
        inference = Inference(env("GEMINI_API_KEY", "OPENROUTER_API_KEY"), client=shared_client())
        providers = [inference.plan(call(), attempt=attempt).step.provider for attempt in range(1, 6)]
        assert providers == ["google", "openrouter", "openrouter", "openrouter", "openrouter"]

    def test_open_breakers_go_last_but_stay(self) -> None:
        inference = Inference(env("GEMINI_API_KEY", "OPENROUTER_API_KEY"), client=shared_client())

        def order(*avoid: str) -> list[str]:
            return [step.provider for step in inference.plan(call(), avoid=frozenset(avoid)).steps]

        assert order("google") == order("google/google/gemini-2.5-pro") == ["openrouter", "google"]
        assert order("google", "openrouter") == ["google", "openrouter"]

    def test_an_attempt_goes_where_no_earlier_one_went_healthy_steps_first(self) -> None:
        inference = Inference(env(*KEYS), client=shared_client())
        asked = call(overrides=ModelOverrides(fallback="openai/gpt-4.1"))
        google, openai = Tried("google", "google/gemini-2.5-pro"), Tried("openai", "openai/gpt-4.1")
        router = [Tried("openrouter", name) for name in ("google/gemini-2.5-pro", "openai/gpt-4.1")]

        def goes(attempt: int, *tried: Tried, avoid: frozenset[str] = frozenset()) -> str:
            return inference.plan(asked, attempt=attempt, tried=tried, avoid=avoid).step.provider

        assert goes(2, google, avoid=frozenset({"google"})) == "openrouter"
        assert inference.plan(asked, attempt=2, avoid=frozenset({"google"})).step.provider == "openrouter"
        assert goes(2, google, avoid=frozenset({"openrouter"})) == "openai"
        assert goes(2, openai, avoid=frozenset({"google"})) == "openrouter"
        assert goes(4, google, openai, router[0], avoid=frozenset({"openrouter"})) == "openrouter", "the only new one"
        assert goes(5, google, openai, *router) == "openrouter", "it stays at the end"
        assert goes(5, google, *router, openai, avoid=frozenset({"openai", "openrouter"})) == "google"
        rejected = Tried("google", "google/gemini-2.5-pro", rejected=True)
        assert goes(5, rejected, *router, openai, avoid=frozenset({"openai", "openrouter"})) == "openai"

    def test_a_limit_is_waited_for_where_it_holds_only(self) -> None:
        inference = Inference(env("GEMINI_API_KEY"), client=shared_client())
        plan = inference.plan(call(overrides=ModelOverrides(fallback="google/gemini-2.5-flash")))
        limited, overloaded = RateLimited(retry_after=600), Overloaded(retry_after=600)
        assert plan.next_step(limited).model.name == "google/gemini-2.5-flash" and not plan.waits(limited)
        assert plan.waits(overloaded), "the provider is overloaded for all of its models"
        error = to_application_error(limited, waits=plan.waits(limited), steps_left=plan.steps_left)
        assert not error.non_retryable and error.next_retry_delay is None
        alone = inference.plan(call(overrides=ModelOverrides(fallback="google/gemini-2.5-pro")))
        assert alone.waits(limited)
        last = inference.plan(call(overrides=ModelOverrides(fallback="google/gemini-2.5-flash")), attempt=2)
        assert not last.waits(limited), "the other model may be free again"
        mine = UserCredentials(user_id="u", keys={"google": SecretStr("AIza-mine")})
        asked = call(overrides=ModelOverrides(fallback="google/gemini-2.5-flash"))
        assert inference.plan(asked, attempt=2, user=mine).waits(limited), "no breaker turns it away"

    def test_a_forced_provider(self) -> None:
        asked = call(overrides=ModelOverrides(model="[openrouter]google/gemini-2.5-pro", fallback="openai/gpt-5"))
        assert steps(env(*KEYS), asked)[0] == ("openrouter", "google/gemini-2.5-pro")
        with pytest.raises(NotConfigured, match="GROQ_API_KEY"):
            configuration_for_model("[groq]openai/gpt-oss-120b", settings=env("OPENAI_API_KEY"))

    def test_whoever_has_one_key_can_work(self) -> None:
        assert steps(env("ANTHROPIC_API_KEY"))[0] == ("anthropic", "anthropic/claude-sonnet-5")
        assert steps(env("OPENAI_API_KEY"))[0] == ("openai", "openai/gpt-5")
        for name in KEYS:
            for action in ActionKey:
                assert steps(env(name), call(action))

    def test_the_operators_model_for_one_action_or_for_all(self) -> None:
        settings = env(*KEYS, STICH_MODEL="openai/gpt-4.1", STICH_MODEL_BLUEPRINT="anthropic/claude-opus-5")
        assert steps(settings)[0] == ("openai", "openai/gpt-4.1")
        assert steps(settings, call(ActionKey.BLUEPRINT))[0] == ("anthropic", "anthropic/claude-opus-5")
        chosen = call(ActionKey.BLUEPRINT, overrides=ModelOverrides(model="openai/o3"))
        assert steps(settings, chosen)[0] == ("openai", "openai/o3"), "the user's choice comes first"

    def test_an_operators_own_server_needs_no_key_and_no_entry_in_the_catalogue(self) -> None:
        settings = env(OPENAI_BASE_URL="http://127.0.0.1:9/v1", STICH_MODEL="openai/my-model")
        assert steps(settings)[0] == ("openai", "openai/my-model")
        assert endpoint("openai", settings).credential == "none"
        with pytest.raises(agents.NotAllowed):
            steps(settings, call(overrides=ModelOverrides(model="openai/my-model")))

    def test_without_a_key_the_demo_model_serves_everything(self) -> None:
        settings = InferenceSettings.from_env({"STICH_DEMO_URL": "http://127.0.0.1:1/v1"})
        for action in ActionKey:
            assert steps(settings, call(action)) == [("demo", "demo/demo")]
        assert Inference(settings, client=shared_client()).serves(ActionKey.BLUEPRINT) == ("demo/demo", True)
        with_key = env("OPENAI_API_KEY", STICH_DEMO_URL="http://127.0.0.1:1/v1")
        assert steps(with_key)[0][0] == "openai"
        asked = env("OPENAI_API_KEY", STICH_DEMO_URL="http://127.0.0.1:1/v1", STICH_MODEL="demo/demo")
        assert steps(asked) == [("demo", "demo/demo")]

    def test_nothing_configured_says_what_to_set(self) -> None:
        with pytest.raises(NotConfigured, match="GOOGLE_AI_STUDIO_API_KEY"):
            steps(env())

    @pytest.mark.parametrize(
        ("variables", "wanted"),
        [
            ({"OLLAMA_BASE_URL": "http://127.0.0.1:9/v1"}, "STICH_MODEL=ollama/"),
            ({"DEEPSEEK_API_KEY": "sk-deep-00000000"}, "STICH_MODEL=deepseek/"),
            ({"OPENAI_COMPATIBLE_BASE_URL": "http://127.0.0.1:9/v1"}, "STICH_MODEL=compatible/"),
        ],
    )
    def test_a_provider_without_a_model_of_its_own_asks_for_one(self, variables: dict[str, str], wanted: str) -> None:
        with pytest.raises(NotConfigured, match=wanted):
            steps(env(**variables))

    def test_what_the_model_cannot_take_is_not_sent_to_it(self) -> None:
        picture = Message(role="user", content=(ImagePart(data="AA"),))
        asked = call(
            messages=(picture,), overrides=ModelOverrides(model="cerebras/gpt-oss-120b", fallback="openai/gpt-5")
        )
        assert {model for _, model in steps(env(*KEYS), asked)} == {"openai/gpt-5"}

    def test_a_context_that_no_window_holds_is_not_sent(self) -> None:
        long = Message(role="user", content="words and words " * 60_000)
        small = ModelOverrides(model="anthropic/claude-haiku-4.5", fallback="anthropic/claude-haiku-4.5")
        with pytest.raises(ContextTooLong, match="200000"):
            steps(env(*KEYS), call(messages=(long,), overrides=small))
        wide = ModelOverrides(model="anthropic/claude-haiku-4.5", fallback="openai/gpt-4.1")
        assert steps(env(*KEYS), call(messages=(long,), overrides=wide))[0][1] == "openai/gpt-4.1"


class TestPolicies:
    def test_cost_takes_the_cheapest_that_suffices(self) -> None:
        asked = call(overrides=ModelOverrides(policy="cost"))
        (provider, name), *rest = steps(env(*KEYS), asked)
        chosen = catalogue.MODELS[name]
        assert chosen.size in ("regular", "large") and chosen.output_limit >= 32_000
        prices = [
            routing._cost(routing.Step(catalogue.MODELS[model], where, ""))
            for where, model in [(provider, name), *rest]
        ]
        assert prices[0] == min(price for price in prices if price is not None)
        assert ("google", "google/gemini-2.5-pro") in rest, "the configured model stays behind it"

    def test_speed_takes_the_fastest_measured(self) -> None:
        speeds = {
            "google/google/gemini-2.5-flash": Speed(tokens_per_second=200, time_to_first_token=0.5, samples=9),
            "anthropic/anthropic/claude-haiku-4.5": Speed(tokens_per_second=100, time_to_first_token=0.1, samples=9),
        }
        asked = call(overrides=ModelOverrides(policy="speed"))
        order = steps(env(*KEYS), asked, speeds=speeds)
        assert [model for _, model in order[:3]] == [
            "google/gemini-2.5-flash", "anthropic/claude-haiku-4.5", "google/gemini-2.5-pro",
        ]  # fmt: skip
        assert steps(env(*KEYS), asked)[0][1] == "google/gemini-2.5-pro", "unmeasured is not fast"


class TestConstraints:
    def test_users_are_bound_and_told_why(self) -> None:
        with pytest.raises(agents.NotAllowed, match="large"):
            agents.configuration(ActionKey.CONVERSATION, ModelOverrides(model="google/gemini-2.5-pro"))
        with pytest.raises(agents.NotAllowed, match="not a model"):
            agents.configuration(ActionKey.BLUEPRINT, ModelOverrides(model="openai/gpt-99"))
        with pytest.raises(agents.NotAllowed, match="tools"):
            agents.configuration(ActionKey.SMART_BUILDER, ModelOverrides(model="openai/chatgpt-4o-latest"))
        with pytest.raises(agents.NotAllowed, match="images"):
            agents.configuration(ActionKey.SCREENSHOT_ANALYSIS, ModelOverrides(model="cerebras/gpt-oss-120b"))

    @pytest.mark.parametrize("action", [ActionKey.CONVERSATION, ActionKey.TEMPLATE_SELECTION])
    @pytest.mark.parametrize(
        "name", ["openrouter/anthropic/claude-opus-4.1", "[openrouter]anthropic/claude-opus-4.1", "[openai]gpt-6-huge"]
    )
    def test_a_size_that_is_not_known_is_not_a_small_one(self, action: ActionKey, name: str) -> None:
        with pytest.raises(agents.NotAllowed, match="size is not known"):
            agents.configuration(action, ModelOverrides(model=name))
        with pytest.raises(agents.NotAllowed, match="size is not known"):
            agents.configuration(action, ModelOverrides(fallback=name))
        assert agents.configuration(ActionKey.BLUEPRINT, ModelOverrides(model=name)).model == name
        assert agents.check(action, "ollama/llama3"), "what costs nothing may be of any size"

    def test_a_model_is_not_forced_where_it_is_not_served(self) -> None:
        with pytest.raises(agents.NotAllowed, match=r"OpenAI does not serve anthropic/claude-4-sonnet"):
            agents.configuration(ActionKey.BLUEPRINT, ModelOverrides(model="[openai]anthropic/claude-4-sonnet"))
        with pytest.raises(NotConfigured, match="does not serve"):
            steps(env(*KEYS, STICH_MODEL="[openai]anthropic/claude-4-sonnet"))
        assert catalogue.resolve("[compatible]gpt-4.1").model.served == {"compatible": "gpt-4.1"}

    def test_the_operator_may_choose_any_model(self) -> None:
        settings = env(*KEYS, STICH_MODEL_CONVERSATION="openai/gpt-5.5", STICH_MODEL_BLUEPRINT="openrouter/x/y")
        assert steps(settings, call(ActionKey.CONVERSATION))[0] == ("openai", "openai/gpt-5.5")
        assert steps(settings, call(ActionKey.BLUEPRINT))[0] == ("openrouter", "openrouter/x/y")

    def test_overrides_are_merged_field_by_field(self) -> None:
        merged = agents.configuration(ActionKey.BLUEPRINT, ModelOverrides(temperature=0.0, effort="high"))
        assert (merged.temperature, merged.effort, merged.model) == (0.0, "high", "google/gemini-2.5-pro")


class TestKeysAndUrls:
    USER = UserCredentials(user_id="u1", keys={"openai": SecretStr("sk-user-1")})

    def test_the_users_key_goes_to_the_provider_and_to_nobody_elses_call(self) -> None:
        settings = env("OPENAI_API_KEY")
        mine = endpoint("openai", settings, self.USER, call=call(user_id="u1"))
        assert (mine.credential, mine.base_url) == ("user", "https://api.openai.com/v1")
        assert mine.request_headers()["authorization"] == "Bearer sk-user-1"
        with pytest.raises(NotConfigured):
            endpoint("openai", settings, self.USER, call=call(user_id="u2"))
        assert "sk-user-1" not in repr(self.USER) + repr(mine)

    @pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "groq", "ollama", "compatible"])
    @pytest.mark.parametrize("with_gateway", [True, False])
    @pytest.mark.parametrize("own_key", [True, False])
    def test_a_platform_key_never_goes_to_a_users_url(self, provider: str, with_gateway: bool, own_key: bool) -> None:
        settings = env(*KEYS, OLLAMA_BASE_URL="http://127.0.0.1:2/v1", OLLAMA_API_KEY="platform-ollama",
                       OPENAI_COMPATIBLE_BASE_URL="http://127.0.0.1:3/v1", OPENAI_COMPATIBLE_API_KEY="platform-own",
                       **(GATEWAY if with_gateway else {}))  # fmt: skip
        key = SecretStr("user-key-1234") if own_key else None
        mine = server(provider, "Mine", "https://users.example/v1", (), key)
        user = UserCredentials(user_id="u1", servers={provider: mine})
        found = endpoint(provider, settings, user, call=call(user_id="u1"))
        sent = " ".join(found.request_headers().values())
        assert (found.base_url, found.credential) == ("https://users.example/v1", "user")
        assert not any(secret in sent for secret in (*KEYS.values(), "platform", "aig-token"))
        assert ("user-key-1234" in sent) == own_key

    def test_a_users_url_without_a_key_is_used_as_it_is(self) -> None:
        mine = server("openai", "Mine", "https://users.example/v1", [CustomModel(id="gpt-4.1")], None)
        user = UserCredentials(user_id="u1", servers={"openai": mine})
        asked = call(overrides=ModelOverrides(model="openai/gpt-4.1"))
        for settings in (env(), env(*KEYS), env("OPENAI_API_KEY", **GATEWAY)):
            plan = Inference(settings, client=shared_client()).plan(asked, user=user)
            assert (plan.step.provider, plan.endpoint.base_url) == ("openai", "https://users.example/v1")
            assert plan.endpoint.secrets() == [] and not plan.endpoint.via_gateway

    def test_metadata_goes_to_the_demo_and_to_gateways_only(self) -> None:
        settings = env("OPENAI_API_KEY", STICH_DEMO_URL="http://127.0.0.1:1/v1")
        asked = call(user_id="ü1")
        assert "x-stich-metadata" not in endpoint("openai", settings, call=asked).request_headers()
        demo = endpoint("demo", settings, call=asked).request_headers()
        assert '"session": "s"' in demo["x-stich-metadata"] and demo["x-stich-metadata"].isascii()
        gateway = endpoint("openai", env("OPENAI_API_KEY", **GATEWAY), call=asked).request_headers()
        assert gateway["cf-aig-metadata"] == gateway["x-stich-metadata"]


class TestGateway:
    SETTINGS = GatewaySettings(url="https://gateway.test/v1/acc/gw")

    @pytest.mark.parametrize(
        ("provider", "url"),
        [
            ("openai", "/openai"), ("anthropic", "/anthropic"), ("google", "/google-ai-studio"), ("groq", "/groq"),
            ("openrouter", "/openrouter/v1"), ("cloudflare", "/workers-ai/v1"), (None, "/compat"),
        ],
    )  # fmt: skip
    def test_urls(self, provider: str | None, url: str) -> None:
        assert build_gateway_url(provider, self.SETTINGS) == f"https://gateway.test/v1/acc/gw{url}"

    @pytest.mark.parametrize("provider", ["ollama", "nobody"])
    def test_who_has_no_place_behind_it(self, provider: str) -> None:
        with pytest.raises(NotConfigured):
            build_gateway_url(provider, self.SETTINGS)

    def test_the_environment_is_what_holds_where_nothing_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in (*GATEWAY, "CLOUDFLARE_AI_GATEWAY", "STICH_GATEWAY_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("OPENAI_API_KEY", KEYS["OPENAI_API_KEY"])
        with pytest.raises(NotConfigured, match="no gateway"):
            build_gateway_url("openai")
        assert configuration_for_model("openai/gpt-5").base_url == "https://api.openai.com/v1"
        for name, value in GATEWAY.items():
            monkeypatch.setenv(name, value)
        assert build_gateway_url("google-ai-studio") == "https://gateway.test/v1/acc/gw/google-ai-studio"
        mine = UserCredentials("u1", keys={"openai": SecretStr("sk-user-1")})
        found = configuration_for_model("openai/gpt-5", mine)
        assert (found.base_url, found.via_gateway) == ("https://gateway.test/v1/acc/gw/openai", True)
        assert found.request_headers()["authorization"] == "Bearer sk-user-1"

    def test_headers(self) -> None:
        settings = env("ANTHROPIC_API_KEY", **GATEWAY, CLOUDFLARE_AI_GATEWAY_CACHE_TTL="60")
        first = configuration_for_model("anthropic/claude-opus-5", settings=settings, call=call())
        headers = first.request_headers()
        assert first.base_url == "https://gateway.test/v1/acc/gw/anthropic"
        assert headers["cf-aig-authorization"] == "Bearer aig-token"
        assert headers["x-api-key"] == KEYS["ANTHROPIC_API_KEY"]
        assert headers["cf-aig-cache-ttl"] == "60"
        retried = endpoint("anthropic", settings, call=call(), retry=True).request_headers()
        assert retried["cf-aig-skip-cache"] == "true" and "cf-aig-cache-ttl" not in retried

    def test_where_a_model_goes(self) -> None:
        settings = env("ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", **GATEWAY)
        base = "https://gateway.test/v1/acc/gw"
        assert configuration_for_model("anthropic/claude-opus-5", settings=settings).base_url == f"{base}/anthropic"
        assert configuration_for_model("openai/gpt-5", settings=settings).base_url == f"{base}/openrouter/v1"
        around = configuration_for_model("openai/gpt-5", settings=settings, gateway=False)
        assert around.base_url == "https://openrouter.ai/api/v1" and not around.via_gateway
        with pytest.raises(catalogue.UnknownModel):
            configuration_for_model("openai/gpt-99", settings=settings)

    def test_keys_that_the_gateway_holds(self) -> None:
        settings = InferenceSettings.from_env(GATEWAY | {"CLOUDFLARE_AI_GATEWAY_PROVIDERS": "openai, google-ai-studio"})
        found = configuration_for_model("google/gemini-2.5-pro", settings=settings)
        assert found.key is None and "x-goog-api-key" not in found.request_headers()
        assert steps(settings)[0] == ("google", "google/gemini-2.5-pro")

    def test_the_account_and_the_name_make_the_url(self) -> None:
        settings = InferenceSettings.from_env({"CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_AI_GATEWAY": "g"})
        assert settings.gateway is not None
        assert settings.gateway.url == "https://gateway.ai.cloudflare.com/v1/a/g"


class TestCatalogue:
    def test_rows_say_what_can_be_used_and_why_not(self) -> None:
        rows = {row.name: row for row in listing.rows(env("OPENAI_API_KEY"))}
        assert rows["openai/gpt-5"].available and rows["openai/gpt-5"].usable_providers == ("openai",)
        gemini = rows["google/gemini-2.5-pro"]
        assert not gemini.available and "GOOGLE_AI_STUDIO_API_KEY" in gemini.reason
        assert gemini.input_price is not None and gemini.context_window == 1_048_576
        oss = {each.provider: each for each in rows["cerebras/gpt-oss-120b"].served}
        assert oss["groq"].id == "openai/gpt-oss-120b" and str(oss["groq"].input_price) == "0.15"
        assert str(rows["openai/gpt-5"].output_price) == "10", "plain digits"
        assert {"tools", "images", "reasoning", "structured output"} == set(gemini.abilities)

    @pytest.mark.parametrize(
        "name",
        [
            "gpt-5", "gpt-5-mini", "gpt-4.1", "chatgpt-4o-latest", "o3", "o4-mini", "claude-3.5-sonnet",
            "claude-3.7-sonnet", "claude-4-opus", "claude-4-sonnet", "gemini-2.5-pro", "gemini-2.5-flash",
            "gemini-2.5-flash-lite", "gemini-2.0-flash", "gemini-1.5-flash-8b", "gpt-oss-120b", "qwen-3-coder-480b",
        ],
    )  # fmt: skip
    def test_the_required_models_are_there_by_their_bare_names(self, name: str) -> None:
        model = catalogue.resolve(name).model
        assert model.context_window and model.output_limit and model.served

    def test_names(self) -> None:
        assert catalogue.resolve("google-ai-studio/gemini-2.5-pro").model.name == "google/gemini-2.5-pro"
        assert catalogue.resolve("claude-sonnet-4-20250514").model.name == "anthropic/claude-4-sonnet"
        assert catalogue.resolve("openrouter/meta/llama-4").model.served == {"openrouter": "meta/llama-4"}
        for name in ("openai/gpt-99", "nobody/x", "[nobody]x", "[openai]", ""):
            with pytest.raises(catalogue.UnknownModel):
                catalogue.resolve(name)


def test_settings_that_cannot_be_meant_are_refused() -> None:
    for variables in (
        {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "api.example"},
        {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://u:p@api.example"},
        {"STICH_ROUTING": "fastest"},
        {"STICH_STALL_TIMEOUT": "soon"},
        {"STICH_STALL_TIMEOUT": "0"},
        {"STICH_CONNECT_TIMEOUT": "-1"},
        {"STICH_FIRST_TOKEN_TIMEOUT": "nan"},
        {"STICH_FIRST_TOKEN_TIMEOUT": "inf"},
        {"STICH_ANSWER_CACHE": "nan"},
        {"STICH_ANSWER_CACHE": "1.5"},
        {"STICH_ANSWER_CACHE": "-1"},
    ):
        with pytest.raises(InvalidSetting):
            InferenceSettings.from_env(variables)


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("OLLAMA_BASE_URL", "http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"),
        ("VLLM_BASE_URL", "http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("LM_STUDIO_BASE_URL", "http://127.0.0.1:1234/api/v0", "http://127.0.0.1:1234/api/v0"),
        ("ANTHROPIC_BASE_URL", "https://proxy.example/anthropic/v1", "https://proxy.example/anthropic"),
        ("GEMINI_BASE_URL", "https://proxy.example/v1beta/", "https://proxy.example"),
        ("OPENAI_BASE_URL", "https://proxy.example", "https://proxy.example"),
    ],
)
def test_an_address_with_or_without_its_version_is_the_same(name: str, given: str, meant: str) -> None:
    (provider,) = InferenceSettings.from_env({name: given}).providers.values()
    assert provider.base_url == meant


def test_a_placeholder_is_not_a_key() -> None:
    settings = InferenceSettings.from_env({"OPENAI_API_KEY": "none", "GEMINI_API_KEY": " ", "GROQ_API_KEY": "default"})
    assert settings.providers == {}
