"""Which credential a command goes by."""

import pytest

from stich.errors import StichError
from stich.home import RunningUp
from stich.service import credential
from stich.settings import Settings

KEY = "stk_" + "0123456789abcdef" * 3
UP = RunningUp(
    pid=1,
    url="http://127.0.0.1:1",
    local_url="http://127.0.0.1:1",
    token="the token of the home",
    temporal_address="127.0.0.1:2",
    temporal_ui=None,
    demo=True,
)


def test_one_user_s_commands_go_by_the_home_s_token() -> None:
    assert credential(UP, Settings.from_env({})) == "the token of the home"


@pytest.mark.parametrize("env", [{}, {"STICH_TOKEN": "the secret of the service"}])
def test_with_accounts_an_api_key_is_needed(env: dict[str, str]) -> None:
    up = UP.model_copy(update={"auth": "accounts"})
    assert credential(up, Settings.from_env({"STICH_TOKEN": KEY})) == KEY
    with pytest.raises(StichError, match=r"`stich users key E-MAIL`"):
        credential(up, Settings.from_env(env))
