"""Names for the numbers of the whole company, which one customer's rows cannot give."""

from features.aggregates import Aggregate, CompanyNumber


def number_key(number: CompanyNumber) -> str:
    """What `number` is saved under at scoring time: its kind and all that defines it."""
    if isinstance(number, Aggregate):
        return _written(number)
    kind = type(number).__name__.lower()
    return f"{kind}({_written(number.hits)}; {_written(number.trials)})"


def _written(part: Aggregate) -> str:
    fields = {name: value for name, value in vars(part).items() if name not in ("source", "scope")}
    listed = ", ".join(f"{name}={value}" for name, value in fields.items())
    return f"{part.source.name}: {listed}"
