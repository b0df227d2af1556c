"""Where previews are shown, now."""

from datetime import UTC, datetime

from schemas.deployments import Deployment, Target
from schemas.session import Preview, Progress, StateInfo
from stich.previews import PreviewPlace

NOW = datetime.now(UTC)
SECRET = b"secret"


def progress(preview: Preview) -> Progress:
    def published(target: Target, url: str) -> Deployment:
        return Deployment(id=f"d-{target}", target=target, url=url, requested_at=NOW, changed_at=NOW)

    return Progress(
        session_id="s1",
        title="t",
        prompt="p",
        mode="deterministic",
        state=StateInfo(name="completed", since=NOW, reason="Done."),
        created_at=NOW,
        preview=preview,
        deployments=[published("local", "http://old:1"), published("netlify", "https://stich-s1.netlify.app")],
    )


def test_addresses_are_those_of_now() -> None:
    old = PreviewPlace("http", "preview.localhost", 8081)
    new = PreviewPlace("https", "preview.example.org", None)
    noted = old.readdressed(SECRET, progress(Preview(status="ready", url="http://somewhere:1")))
    assert (noted.preview.url or "").startswith("http://s1-")
    assert (noted.preview.url or "").endswith(".preview.localhost:8081")
    shown = new.readdressed(SECRET, noted)
    assert (shown.preview.url or "").endswith(".preview.example.org")
    assert shown.preview.status == "ready"
    assert (shown.deployments[0].url or "").startswith("https://s1-")
    assert shown.deployments[0].url != shown.preview.url
    assert shown.deployments[1].url == "https://stich-s1.netlify.app"
    assert old.readdressed(SECRET, shown) == noted


def test_what_has_no_address_gets_none() -> None:
    place = PreviewPlace("http", "preview.localhost", 8081)
    assert place.readdressed(SECRET, progress(Preview())).preview.url is None
