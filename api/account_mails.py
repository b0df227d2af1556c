"""The texts of mails. Tokens stand behind the `#` of a link: what stands there reaches no server's log."""

from api.mail import Mail


def sign_up_mail(to: str, origin: str, token: str) -> Mail:
    return Mail(
        to,
        "Confirm your e-mail address for stich",
        f"Somebody, hopefully you, asked for an account at {origin} with this address.\n\n"
        f"To confirm the address, open this link within a day:\n\n    {origin}/sign-in#verify={token}\n\n"
        "If it was not you, leave the link alone: then there will be no account.\n",
    )


def already_known(to: str, origin: str) -> Mail:
    return Mail(
        to,
        "You have an account at stich already",
        f"Somebody, hopefully you, asked for an account at {origin} with this address, which has one already.\n\n"
        f"Sign in at {origin}/sign-in; there you can also ask for a link to set a new password.\n",
    )


def reset_mail(to: str, origin: str, token: str) -> Mail:
    return Mail(
        to,
        "Set a new password for stich",
        f"Somebody, hopefully you, asked for a new password at {origin}.\n\n"
        f"To set one, open this link within an hour:\n\n    {reset_link(origin, token)}\n\n"
        "If it was not you, leave the link alone: your password stays as it is.\n",
    )


def reset_link(origin: str, token: str) -> str:
    return f"{origin}/sign-in#reset={token}"
