"""The application: an API under /api and the page that uses it."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

STATIC = Path(__file__).parent / "static"

app = FastAPI(title="App")


class Greeting(BaseModel):
    """What the page shows."""

    text: str


@app.get("/api/greeting")
def greeting() -> Greeting:
    return Greeting(text="Your application starts here")


# Last, so that the routes above come first.
app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
