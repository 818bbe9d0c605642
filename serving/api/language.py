"""Which language an answer is told in: the client's by Accept-Language, else the configured one."""

import re
from functools import lru_cache
from typing import Annotated, Any, get_args

import orjson
from fastapi import Depends, Header, Request
from starlette.types import Scope

from features.wording import Language
from serving.api.answers import served_now
from serving.retelling import retold, retold_timing
from serving.served import Served

_RANGE = re.compile(
    r"^([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)(?:\s*;\s*[qQ]=([01](?:\.\d{0,3})?))?$"
)
LANGUAGES: tuple[Language, ...] = get_args(Language)


def language_asked(
    request: Request,
    served: Annotated[Served, Depends(served_now)],
    accept_language: Annotated[str | None, Header()] = None,  # noqa: ARG001 - documents it
) -> Language:
    """The language of the answer to a request; `en` or `id`, as `id-ID, en;q=0.5` asks for."""
    # It may come in several lines, of which a parameter that is text is only one.
    asked = ",".join(request.headers.getlist("accept-language"))
    return negotiated(asked, served.snapshot.about.serving.language)


def is_asked_otherwise(scope: Scope, own: Language) -> bool:
    """Whether an ASGI request wants another language than `own`."""
    asked = [value for name, value in scope["headers"] if name == b"accept-language"]
    return bool(asked) and negotiated(b",".join(asked).decode("latin-1"), own) != own


@lru_cache(maxsize=256)
def negotiated(asked: str, own: Language) -> Language:
    """The language wanted most (RFC 9110, 12.5.4); `own` when none of ours is wanted.

    Of ranges with one weight the first counts; what cannot be read is passed over.
    """
    weights = _weights(asked)
    order = list(weights)

    def wish(language: Language) -> tuple[float, int, bool]:
        name = language if language in weights else "*"
        place = order.index(name) if name in weights else len(order)
        return weights.get(name, 0.0), -place, language == own

    best = max(LANGUAGES, key=wish)
    return best if wish(best)[0] > 0.0 else own


def _weights(asked: str) -> dict[str, float]:
    """The largest weight of each language named, in the order of naming."""
    weights: dict[str, float] = {}
    for part in asked.split(","):
        if found := _RANGE.match(part.strip()):
            name = found[1].partition("-")[0].lower()
            weights[name] = max(weights.get(name, 0.0), float(found[2] or 1))
    return weights


Asked = Annotated[Language, Depends(language_asked)]


def record_told(record: dict[str, Any], served: Served, language: Language) -> dict[str, Any]:
    """A `score_record`, which is in the configured language, told in `language`."""
    about = served.snapshot.about
    is_told = language == about.serving.language
    return record if is_told else retold(record, language, about.currency)


def score_told(score: bytes, served: Served, language: Language) -> bytes:
    """The same for the JSON of one."""
    if language == served.snapshot.about.serving.language:
        return score
    return orjson.dumps(record_told(orjson.loads(score), served, language))


def timing_told(timing: bytes, score: bytes, served: Served, language: Language) -> bytes:
    """The JSON of the `score_timings` that belong to `score`, told in `language`."""
    act_by = orjson.loads(score)["act_by"]
    return orjson.dumps(retold_timing(orjson.loads(timing), act_by, served.bundle, language))


def spoken(language: Language) -> dict[str, str]:
    """The headers of an answer that is told in `language`, and could have been in another."""
    return {"Content-Language": language, "Vary": "Accept-Language"}
