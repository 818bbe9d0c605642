"""The least that a server can be, to start beside: FastAPI without models and with them."""

from fastapi import FastAPI


def bare() -> FastAPI:
    """An app with one route."""
    app = FastAPI()
    app.add_api_route("/", _ready)
    return app


def with_models() -> FastAPI:
    """The same with LightGBM imported, which whatever serves the models must do."""
    import lightgbm  # noqa: F401

    return bare()


def _ready() -> dict[str, bool]:
    return {"ready": True}
