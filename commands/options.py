"""Options that several of `setia`'s commands take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration to use.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
CONFIG = Path("pipeline.yaml")
